//! Counters and histograms of a plugin, and those of its configurations' `stat_prefix`.

use ferrule_kit::{ConfigError, Counter, Filter, Histogram, counter_names};

use crate::hostcalls;
use crate::wire::MetricKind;

/// Envoy's ids.
pub(crate) struct Metrics {
    /// By [`Counter`].
    counters: Box<[u32]>,
    /// By [`Histogram`].
    histograms: Box<[u32]>,
}

impl Metrics {
    /// Those of the filter, or of one of its prefixes.
    pub(crate) fn define<F: Filter>(prefix: Option<&str>) -> Result<Self, ConfigError> {
        let place = match prefix {
            Some(prefix) => format!("{}.{prefix}", F::NAME),
            None => F::NAME.to_owned(),
        };
        let counters = counter_names::<F>().map(|name| define(MetricKind::Counter, &place, name));
        let histograms = F::HISTOGRAMS.iter().map(|name| define(MetricKind::Histogram, &place, name));
        Ok(Self {
            counters: counters.collect::<Result<_, _>>()?,
            histograms: histograms.collect::<Result<_, _>>()?,
        })
    }

    /// Envoy's id of the counter.
    pub(crate) fn counter(&self, counter: Counter) -> Option<u32> {
        self.counters.get(counter.0).copied()
    }

    /// Envoy's id of the histogram.
    pub(crate) fn histogram(&self, histogram: Histogram) -> Option<u32> {
        self.histograms.get(histogram.0).copied()
    }
}

fn define(kind: MetricKind, place: &str, name: &str) -> Result<u32, ConfigError> {
    let full = format!("{place}.{name}");
    hostcalls::define_metric(kind, &full)
        .ok_or_else(|| ConfigError::new("", format!("Envoy refused the metric {full}")))
}
