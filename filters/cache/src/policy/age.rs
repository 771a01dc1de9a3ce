//! The age of a response (RFC 9111 §4.2.3, §5.1).

use super::field::{Section, trim};
use super::time::{MAX_SECONDS, Time, clamp_seconds, delta_seconds, seconds_between};

/// The Age that upstream caches say. Of several values the first counts, and one that is no number is ignored (§5.1).
pub fn age_value(response: &(impl Section + ?Sized)) -> u32 {
    let lines = response.values("age");
    let first = lines.first().and_then(|line| line.split(|byte| *byte == b',').next());
    first.and_then(|value| delta_seconds(trim(value))).unwrap_or(0)
}

/// `corrected_initial_age` (§4.2.3), seconds: what the response's age was when it came, by its Date or by what caches on its way
/// counted and the time it was under way, whichever is more.
pub fn initial_age(age_value: u32, date: Option<i64>, request_time: Time, response_time: Time) -> u32 {
    let apparent_age = date.map_or(0, |date| seconds_between(date, response_time.seconds()));
    let response_delay = response_time.seconds_since(request_time);
    apparent_age.max(age_value.saturating_add(response_delay)).min(MAX_SECONDS)
}

/// `current_age` (§4.2.3), seconds: with the time that it has been here.
pub fn current_age(initial_age: u32, response_time: Time, now: Time) -> u32 {
    clamp_seconds(u64::from(initial_age) + u64::from(now.seconds_since(response_time)))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn value(lines: &[&str]) -> u32 {
        let lines: Vec<_> = lines.iter().map(|line| ("age".to_owned(), line.as_bytes().to_vec())).collect();
        age_value(&lines[..])
    }

    #[test]
    fn the_first_age_counts_and_junk_is_none() {
        assert_eq!(value(&["7"]), 7);
        assert_eq!(value(&["7, 9"]), 7);
        assert_eq!(value(&["7", "9"]), 7);
        assert_eq!(value(&["junk, 9"]), 0);
        for junk in ["", "-7", "7.0", "7s", "7;x", "\"7\""] {
            assert_eq!(value(&[junk]), 0, "{junk}");
        }
        assert_eq!(value(&["99999999999"]), MAX_SECONDS);
    }

    #[test]
    fn the_initial_age_is_the_greater_of_what_date_and_age_say() {
        let (sent, came) = (Time(1_000_000), Time(1_002_900));
        assert_eq!(initial_age(10, None, sent, came), 12);
        assert_eq!(initial_age(10, Some(990), sent, came), 12);
        assert_eq!(initial_age(10, Some(900), sent, came), 102);
        assert_eq!(initial_age(0, Some(5000), sent, came), 2);
        assert_eq!(initial_age(MAX_SECONDS, None, sent, came), MAX_SECONDS);
    }

    #[test]
    fn age_grows_by_residence() {
        assert_eq!(current_age(5, Time(1000), Time(4999)), 8);
        assert_eq!(current_age(5, Time(4999), Time(1000)), 5);
        assert_eq!(current_age(MAX_SECONDS, Time(0), Time(u64::MAX)), MAX_SECONDS);
    }
}
