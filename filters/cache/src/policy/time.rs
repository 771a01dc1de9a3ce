//! Points in time and spans of it, as caches count them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// The greatest delta-seconds (RFC 9111 §1.2.2): what overflows is this.
pub const MAX_SECONDS: u32 = 1 << 31;

impl Time {
    /// A reading of the wall clock; the epoch itself where that is earlier.
    pub fn of(clock: SystemTime) -> Self {
        let since = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// That many seconds after the epoch.
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the epoch, as HTTP-dates count them.
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 / 1000).unwrap_or(i64::MAX)
    }

    /// Whole seconds since `earlier`; none where the clock has gone back.
    pub fn seconds_since(self, earlier: Self) -> u32 {
        clamp_seconds(self.0.saturating_sub(earlier.0) / 1000)
    }
}

/// Seconds as delta-seconds.
pub fn clamp_seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(MAX_SECONDS).min(MAX_SECONDS)
}

/// From one HTTP-date to another as delta-seconds; none where `to` is the earlier.
pub fn seconds_between(from: i64, to: i64) -> u32 {
    clamp_seconds(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

/// Reads delta-seconds (RFC 9111 §1.2.2): digits alone. What overflows is [`MAX_SECONDS`].
pub fn delta_seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(clamp_seconds(text.iter().fold(0, add)))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn delta_seconds_are_digits_and_overflow_to_the_greatest() {
        assert_eq!(delta_seconds(b"0"), Some(0));
        assert_eq!(delta_seconds(b"007"), Some(7));
        assert_eq!(delta_seconds(b"2147483648"), Some(MAX_SECONDS));
        assert_eq!(delta_seconds(b"99999999999999999999999999"), Some(MAX_SECONDS));
        for junk in ["", "-1", "+1", "1.5", " 1", "1s", "0x1", "\u{661}"] {
            assert_eq!(delta_seconds(junk.as_bytes()), None, "{junk}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_younger_than_new() {
        assert_eq!(Time::from_seconds(5).seconds_since(Time::from_seconds(9)), 0);
        assert_eq!(Time(8999).seconds_since(Time(5000)), 3);
        assert_eq!(seconds_between(10, 4), 0);
    }
}
