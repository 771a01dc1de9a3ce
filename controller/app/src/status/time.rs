//! `lastTransitionTime`: the time at which a condition last changed its status (Kubernetes API conventions).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferrule_translate::Status;

use super::conditions::{all, all_mut};

/// Gives each condition the time at which it got its status: `now`, unless `before` had it already.
pub(super) fn stamp(status: &mut Status, before: Option<&Status>, now: &str) {
    let before = before.map(all).unwrap_or_default();
    for (part, conditions) in all_mut(status) {
        let old =
            before.iter().find(|(other, _)| *other == part).map_or(&[][..], |(_, conditions)| conditions);
        for condition in conditions {
            let same = old.iter().find(|old| old.kind == condition.kind && old.status == condition.status);
            let since = same.and_then(|old| old.last_transition_time.clone());
            condition.last_transition_time = Some(since.unwrap_or_else(|| now.to_owned()));
        }
    }
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
        Status::Gateway(GatewayStatus { conditions: vec![condition], listeners: vec![listener] })
    }

    fn times(status: &Status) -> Vec<String> {
        let lists = all(status);
        let times = lists.iter().flat_map(|(_, conditions)| conditions.iter());
        times.map(|condition| condition.last_transition_time.clone().unwrap()).collect()
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut first = status("True", "a");
        stamp(&mut first, None, "1");
        let mut second = status("True", "a");
        stamp(&mut second, Some(&first), "2");
        assert_eq!(times(&second), ["1", "1"]);
        let mut third = status("False", "a");
        stamp(&mut third, Some(&second), "3");
        assert_eq!(times(&third), ["3", "3"]);
        let mut renamed = status("False", "b");
        stamp(&mut renamed, Some(&third), "4");
        assert_eq!(times(&renamed), ["3", "4"]);
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
