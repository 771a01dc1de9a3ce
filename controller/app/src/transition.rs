//! `lastTransitionTime`: the time at which a condition last changed its status (Kubernetes API conventions).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// The lists of a status whose items have conditions of their own, and what tells their items apart.
const PARTS: [(&str, &[&str]); 3] = [
    ("listeners", &["name"]),
    ("parents", &["parentRef", "controllerName"]),
    ("ancestors", &["ancestorRef", "controllerName"]),
];

/// Gives each condition of `status` the time at which it got its value: `now`, unless `before` had it already.
pub(crate) fn stamp(status: &mut Value, before: &Value, now: &str) {
    stamp_conditions(status, before, now);
    for (list, keys) in PARTS {
        let Some(items) = status.get_mut(list).and_then(Value::as_array_mut) else { continue };
        for item in items {
            let same = |old: &&Value| keys.iter().all(|key| old.get(key) == item.get(key));
            let old = before.get(list).and_then(Value::as_array).and_then(|items| items.iter().find(same));
            stamp_conditions(item, old.unwrap_or(&Value::Null), now);
        }
    }
}

fn stamp_conditions(holder: &mut Value, before: &Value, now: &str) {
    let Some(conditions) = holder.get_mut("conditions").and_then(Value::as_array_mut) else { return };
    for condition in conditions {
        let same = |old: &&Value| old.get("type") == condition.get("type");
        let old = before.get("conditions").and_then(Value::as_array).and_then(|all| all.iter().find(same));
        let unchanged = old.filter(|old| old.get("status") == condition.get("status"));
        let since =
            unchanged.and_then(|old| old.get("lastTransitionTime")?.as_str()).unwrap_or(now).to_owned();
        if let Some(condition) = condition.as_object_mut() {
            condition.insert("lastTransitionTime".to_owned(), since.into());
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let condition =
            |status: &str, reason: &str| json!({"type": "Accepted", "status": status, "reason": reason});
        let status = |status: &str, reason: &str| {
            json!({"conditions": [condition(status, reason)],
                   "listeners": [{"name": "a", "conditions": [condition(status, reason)]}],
                   "parents": [{"parentRef": {"name": "g"}, "conditions": [condition(status, reason)]}]})
        };
        let times = |status: &Value| {
            let time =
                |holder: &Value| holder["conditions"][0]["lastTransitionTime"].as_str().unwrap().to_owned();
            [time(status), time(&status["listeners"][0]), time(&status["parents"][0])]
        };
        let mut first = status("True", "A");
        stamp(&mut first, &Value::Null, "1");
        let mut second = status("True", "B");
        stamp(&mut second, &first, "2");
        assert_eq!(times(&second), ["1", "1", "1"]);
        let mut third = status("False", "B");
        stamp(&mut third, &second, "3");
        assert_eq!(times(&third), ["3", "3", "3"]);
        let mut renamed = status("False", "B");
        renamed["listeners"][0]["name"] = "b".into();
        stamp(&mut renamed, &third, "4");
        assert_eq!(times(&renamed), ["3", "4", "3"]);
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
