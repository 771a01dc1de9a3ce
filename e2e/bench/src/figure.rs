//! One figure a line, in a form that people read and scripts compare.

use std::fmt;
use std::time::Duration;

/// A measured cost of ours beside the cost of its baseline, both from the same run.
pub(crate) struct Figure {
    /// `AREA/NAME`.
    pub(crate) name: String,
    /// Ours divided by the baseline must not exceed this.
    pub(crate) goal: f64,
    /// What we cost, in `unit`.
    pub(crate) ours: f64,
    /// What the baseline is.
    pub(crate) baseline: String,
    /// What it costs, in `unit`.
    pub(crate) against: f64,
    /// Unit of both costs.
    pub(crate) unit: &'static str,
}

impl Figure {
    /// What was measured under the name `AREA/NAME`, against a baseline and its cost.
    pub(crate) fn new(
        name: impl Into<String>,
        goal: f64,
        ours: f64,
        (baseline, against): (&str, f64),
        unit: &'static str,
    ) -> Self {
        Self { name: name.into(), goal, ours, baseline: baseline.to_owned(), against, unit }
    }

    /// As [`Figure::new`], where the baseline is what we allow ourselves.
    pub(crate) fn budget(name: impl Into<String>, ours: f64, budget: f64, unit: &'static str) -> Self {
        Self::new(name, 1.0, ours, ("budget", budget), unit)
    }

    fn ratio(&self) -> f64 {
        self.ours / self.against
    }

    /// Whether the goal is met.
    pub(crate) fn holds(&self) -> bool {
        self.ratio() <= self.goal
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, goal, ours, baseline, against, unit } = self;
        let missed = if self.holds() { "" } else { " MISSED" };
        write!(f, "figure {name} ratio={:.2} goal<={goal:.2} ", self.ratio())?;
        write!(f, "ours={}{unit} baseline={baseline}:{}{unit}{missed}", shown(*ours), shown(*against))
    }
}

/// Two decimals, four of a small number.
fn shown(number: f64) -> String {
    if number.abs() < 0.1 { format!("{number:.4}") } else { format!("{number:.2}") }
}

/// Microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The middle value; robust against a noisy neighbour.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_when_its_goal_is_missed() {
        let figure = |ours| Figure::new("filters/noop", 1.1, ours, ("chain", 10.0), "us");
        assert_eq!(
            figure(10.5).to_string(),
            "figure filters/noop ratio=1.05 goal<=1.10 ours=10.50us baseline=chain:10.00us"
        );
        assert!(figure(12.0).to_string().ends_with("MISSED"));
        assert!(figure(0.0123).to_string().contains("ours=0.0123us"));
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert!((median(vec![1.0, 900.0, 2.0, 1.5, 1.8]) - 1.8).abs() < 1e-9);
    }
}
