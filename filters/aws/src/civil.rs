//! Times of the wall clock as AWS writes them: UTC, in the proleptic Gregorian calendar.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z, the last moment that four digits of a year can tell.
const LAST: u64 = 253_402_300_799;

/// A moment in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Days since 1970-01-01.
    pub days: u32,
    /// Year, up to 9999.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// Seconds since midnight.
    pub second: u32,
}

impl Civil {
    /// The moment of `time`; 1970 for what is earlier, the end of 9999 for what is later.
    pub fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().min(LAST);
        let days = (seconds / SECONDS_A_DAY) as u32;
        let (year, month, day) = date_of(days);
        Self { days, year, month, day, second: (seconds % SECONDS_A_DAY) as u32 }
    }

    /// Hours, minutes and seconds.
    pub fn clock(self) -> (u32, u32, u32) {
        (self.second / 3600, self.second / 60 % 60, self.second % 60)
    }

    /// As `x-amz-date` has it: `20150830T123600Z`.
    pub fn amz_date(self) -> [u8; 16] {
        let (hour, minute, second) = self.clock();
        let mut text = *b"00000000T000000Z";
        write_digits(&mut text[..4], self.year);
        for (at, number) in [(4, self.month), (6, self.day), (9, hour), (11, minute), (13, second)] {
            write_digits(&mut text[at..at + 2], number);
        }
        text
    }
}

fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day, counted in eras of 400 years that begin in March.
fn date_of(days: u32) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

/// Days since 1970-01-01; none for a date that is none, or earlier.
fn days_of(year: u32, month: u32, day: u32) -> Option<u32> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year_from_march = year - u32::from(month <= 2);
    let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = (era * 146_097 + of_era).checked_sub(719_468)?;
    (date_of(days) == (year, month, day)).then_some(days)
}

/// Reads `2026-01-31T12:34:56Z`, with a fraction or not (RFC 3339 §5.6, UTC only).
pub(crate) fn parse_utc(text: &str) -> Option<SystemTime> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let shape = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T' || byte == b't' || byte == b' ',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 19 || !shape || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let days = days_of(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = u64::from(days) * SECONDS_A_DAY + u64::from(hour * 3600 + minute * 60 + second);
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn moments_are_written_as_aws_writes_them() {
        let written = |seconds| String::from_utf8(Civil::of(at(seconds)).amz_date().to_vec()).unwrap();
        assert_eq!(written(0), "19700101T000000Z");
        assert_eq!(written(1_440_938_160), "20150830T123600Z");
        assert_eq!(written(951_782_399), "20000228T235959Z");
        assert_eq!(written(951_782_400), "20000229T000000Z");
        assert_eq!(written(u64::from(u32::MAX) * 1000), "99991231T235959Z");
        // The clocks of some targets know nothing earlier.
        let earlier = UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap_or(UNIX_EPOCH);
        assert_eq!(Civil::of(earlier).days, 0);
    }

    #[test]
    fn every_day_reads_back() {
        for days in (0..2_932_897).step_by(13) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), Some(days), "{year}-{month}-{day}");
        }
    }

    #[test]
    fn times_of_expiry_are_read() {
        assert_eq!(parse_utc("2015-08-30T12:36:00Z"), Some(at(1_440_938_160)));
        assert_eq!(parse_utc("2015-08-30T12:36:00.123+00:00"), Some(at(1_440_938_160)));
        for wrong in [
            "",
            "Z",
            "2015-02-29T00:00:00Z",
            "2015-08-30T24:00:00Z",
            "2015-08-30T12:36:00",
            "1969-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_utc(wrong), None, "{wrong}");
        }
    }
}
