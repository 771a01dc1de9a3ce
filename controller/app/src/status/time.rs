//! `lastTransitionTime`: the time at which a condition last changed its status (Kubernetes API conventions).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferrule_translate::Status;
use ferrule_translate::api::meta::Condition;

use super::conditions::{Part, all, all_mut};

/// A status, shared with whoever made it, and the time at which each of its conditions got its status.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    /// Without times.
    status: Arc<Status>,
    /// In the order of the conditions.
    since: Box<[Arc<str>]>,
}

impl Timed {
    /// Gives each condition of `status` the time that it had in `before`, or else `now`.
    pub(super) fn new(status: Arc<Status>, before: Option<&Self>, now: &Arc<str>) -> Self {
        let old: Vec<_> = before.into_iter().flat_map(Self::conditions).collect();
        let since = |part: Part<'_>, condition: &Condition| {
            let same = old.iter().find(|(other, old, _)| {
                *other == part && old.kind == condition.kind && old.status == condition.status
            });
            same.map_or(now, |(_, _, since)| since).clone()
        };
        let since = each(&status).map(|(part, condition)| since(part, condition)).collect();
        Self { status, since }
    }

    /// Takes the times out of a status that was written with them.
    pub(super) fn written(mut status: Status, now: &Arc<str>) -> Self {
        let lists = all_mut(&mut status).into_iter();
        let times = lists.flat_map(|(_, conditions)| conditions).map(|one| one.last_transition_time.take());
        let since = times.map(|time| time.map_or_else(|| now.clone(), Arc::from)).collect();
        Self { status: Arc::new(status), since }
    }

    /// Whether it is of this status, whatever the times.
    pub(super) fn is_of(&self, status: &Arc<Status>) -> bool {
        Arc::ptr_eq(&self.status, status) || self.status == *status
    }

    /// The status with its times.
    pub(super) fn with_times(&self) -> Status {
        let mut status = Status::clone(&self.status);
        let lists = all_mut(&mut status).into_iter();
        for (condition, since) in lists.flat_map(|(_, conditions)| conditions).zip(&self.since) {
            condition.last_transition_time = Some(since.to_string());
        }
        status
    }

    fn conditions(&self) -> impl Iterator<Item = (Part<'_>, &Condition, &Arc<str>)> {
        each(&self.status).zip(&self.since).map(|((part, condition), since)| (part, condition, since))
    }
}

fn each(status: &Status) -> impl Iterator<Item = (Part<'_>, &Condition)> {
    all(status)
        .into_iter()
        .flat_map(|(part, conditions)| conditions.iter().map(move |condition| (part, condition)))
}

/// The time in UTC to the second, as RFC 3339 section 5.6 writes it.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date this many days after 1970-01-01. Counts in eras of 400 years that start in March, so that leap
/// days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use ferrule_translate::api::gateway::{GatewayStatus, ListenerStatus};
    use ferrule_translate::api::meta::Condition;

    use super::*;

    fn status(value: &str, listener: &str) -> Status {
        let condition = Condition {
            kind: "Accepted".into(),
            status: value.into(),
            reason: "R".into(),
            message: String::new(),
            observed_generation: 1,
            last_transition_time: None,
        };
        let listener = ListenerStatus {
            name: listener.into(),
            conditions: vec![condition.clone()],
            ..ListenerStatus::default()
        };
        Status::Gateway(GatewayStatus {
            conditions: vec![condition],
            listeners: vec![listener],
            ..GatewayStatus::default()
        })
    }

    fn times(timed: &Timed) -> Vec<String> {
        let status = timed.with_times();
        each(&status).map(|(_, condition)| condition.last_transition_time.clone().unwrap()).collect()
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let at = |status, before, now: &str| Timed::new(Arc::new(status), before, &now.into());
        let first = at(status("True", "a"), None, "1");
        let second = at(status("True", "a"), Some(&first), "2");
        assert_eq!(times(&second), ["1", "1"]);
        let third = at(status("False", "a"), Some(&second), "3");
        assert_eq!(times(&third), ["3", "3"]);
        let renamed = at(status("False", "b"), Some(&third), "4");
        assert_eq!(times(&renamed), ["3", "4"]);
    }

    #[test]
    fn a_written_status_is_read_with_its_times() {
        let first = Timed::new(Arc::new(status("True", "a")), None, &"1".into());
        let read = Timed::written(first.with_times(), &"2".into());
        assert!(read.is_of(&Arc::new(status("True", "a"))));
        assert_eq!(times(&read), ["1", "1"]);
    }

    #[test]
    fn times_are_written_in_utc() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
