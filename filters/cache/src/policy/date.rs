//! HTTP-dates (RFC 9110 §5.6.7): seconds since the Unix epoch, read in all three forms and written in the preferred one.
//!
//! Upper and lower case are the same, as RFC 9111 §4.2 asks of caches; a zone other than GMT makes a date invalid.

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8]; 7] =
    [b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday", b"Sunday"];
const SECONDS_A_DAY: i64 = 86_400;

/// Reads a date in any of the three forms. `now` tells the century of an rfc850-date, in seconds since the epoch.
pub fn parse(value: &[u8], now: i64) -> Option<i64> {
    let comma = value.iter().position(|byte| *byte == b',');
    match comma {
        Some(3) => imf_fixdate(value),
        Some(at) => rfc850_date(value, at, now),
        None => asctime_date(value),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(value: &[u8]) -> Option<i64> {
    if value.len() != 29
        || !is_short_day(&value[..3])
        || !ends_in_gmt(value)
        || !blanks(value, &[4, 7, 11, 16])
    {
        return None;
    }
    let year = number(&value[12..16])?;
    seconds(year, month(&value[8..11])?, number(&value[5..7])?, clock(&value[17..25])?)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850_date(value: &[u8], comma: usize, now: i64) -> Option<i64> {
    let is_day = DAYS.iter().any(|day| day.eq_ignore_ascii_case(&value[..comma]));
    let rest = &value[comma..];
    if !is_day || rest.len() != 24 || !ends_in_gmt(rest) || !blanks(rest, &[1, 11]) {
        return None;
    }
    if rest[4] != b'-' || rest[8] != b'-' {
        return None;
    }
    let year = full_year(number(&rest[9..11])?, now);
    seconds(year, month(&rest[5..8])?, number(&rest[2..4])?, clock(&rest[12..20])?)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(value: &[u8]) -> Option<i64> {
    if value.len() != 24 || !is_short_day(&value[..3]) || !blanks(value, &[3, 7, 10, 19]) {
        return None;
    }
    let day = if value[8] == b' ' { &value[9..10] } else { &value[8..10] };
    seconds(number(&value[20..])?, month(&value[4..7])?, number(day)?, clock(&value[11..19])?)
}

/// RFC 9110 §5.6.7: a year that seems more than 50 years away is the last one in the past with these digits.
fn full_year(two_digits: i64, now: i64) -> i64 {
    let (this_year, ..) = civil(now.div_euclid(SECONDS_A_DAY));
    let year = this_year - this_year.rem_euclid(100) + two_digits;
    if year > this_year + 50 { year - 100 } else { year }
}

fn is_short_day(text: &[u8]) -> bool {
    DAYS.iter().any(|day| day[..3].eq_ignore_ascii_case(text))
}

fn ends_in_gmt(value: &[u8]) -> bool {
    value[value.len() - 4..].eq_ignore_ascii_case(b" GMT")
}

fn blanks(value: &[u8], places: &[usize]) -> bool {
    places.iter().all(|at| value[*at] == b' ')
}

fn month(text: &[u8]) -> Option<i64> {
    let place = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    i64::try_from(place).ok().map(|place| place + 1)
}

fn number(text: &[u8]) -> Option<i64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    text.iter().try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))
}

/// Seconds since midnight of `08:49:37`; second 60 is a leap second.
fn clock(text: &[u8]) -> Option<i64> {
    let (hour, minute, second) = (number(&text[..2])?, number(&text[3..5])?, number(&text[6..8])?);
    let fits = text[2] == b':' && text[5] == b':' && hour < 24 && minute < 60 && second <= 60;
    fits.then_some(hour * 3600 + minute * 60 + second)
}

fn seconds(year: i64, month: i64, day: i64, clock: i64) -> Option<i64> {
    let days = days(year, month, day);
    // The calendar tells: the 31st of February would be another day on the way back.
    (civil(days) == (year, month, day)).then_some(days * SECONDS_A_DAY + clock)
}

/// Days since the epoch of a date of the proleptic Gregorian calendar; March is the first month of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Writes an IMF-fixdate.
pub fn format(seconds: i64) -> String {
    // The years that four digits can say.
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let (number, clock) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (year, month, day) = civil(number);
    // The epoch was a Thursday.
    let weekday = DAYS[usize::try_from((number + 3).rem_euclid(7)).unwrap_or(0)];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        String::from_utf8_lossy(&weekday[..3]),
        String::from_utf8_lossy(month),
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 15 November 2023.
    const NOW: i64 = 1_700_000_000;
    const EXAMPLE: i64 = 784_111_777;

    #[test]
    fn all_three_forms_say_the_same() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), Some(EXAMPLE), "{text}");
        }
    }

    #[test]
    fn two_digits_of_a_year_are_no_more_than_fifty_years_ahead() {
        let year = |text: &str| parse(text.as_bytes(), NOW).map(|at| civil(at.div_euclid(SECONDS_A_DAY)).0);
        assert_eq!(year("Wednesday, 01-Jan-73 00:00:00 GMT"), Some(2073));
        assert_eq!(year("Wednesday, 01-Jan-74 00:00:00 GMT"), Some(1974));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "now",
            "1700000000",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sux, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nox 1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08-49-37 GMT",
            "Sun Nov 06 08:49:37 94",
            ",",
            "Sun,",
            "Sunday,",
            "Sun, +6 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
        }
        assert!(parse(b"Sat, 29 Feb 2020 23:59:60 GMT", NOW).is_some());
    }
}

/// Not as wasm, where proptest does not run.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod random {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(at in -62_167_219_200i64..253_402_300_800) {
            prop_assert_eq!(parse(format(at).as_bytes(), 1_700_000_000), Some(at));
        }

        #[test]
        fn any_bytes_are_a_date_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40), now in any::<i64>()) {
            let _ = parse(&bytes, now / 4);
        }
    }
}
