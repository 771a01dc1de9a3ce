//! How long a response is fresh (RFC 9111 §4.2.1, §4.2.2).

use super::cache_control::ResponseDirectives;
use super::date;
use super::field::{Section, trim};
use super::rules::Rules;
use super::time::{Time, clamp_seconds, seconds_between};

/// Statuses that are heuristically cacheable (RFC 9110 §15.1 and the statuses' own sections).
pub fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Where a lifetime comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The origin said it.
    Explicit,
    /// The operator said it.
    Configured,
    /// It was guessed (RFC 9111 §4.2.2).
    Heuristic,
}

/// The dates of a response, seconds since the epoch; none where absent or not to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// Date (RFC 9110 §6.6.1).
    pub date: Option<i64>,
    /// Last-Modified (RFC 9110 §8.8.2).
    pub last_modified: Option<i64>,
    /// Expires (RFC 9111 §5.3); `Some(None)` where it is there but no date, so that it has passed already.
    pub expires: Option<Option<i64>>,
}

impl Dates {
    /// Reads them; of several lines of a name the first counts (§4.2.1).
    pub fn read(response: &(impl Section + ?Sized), now: Time) -> Self {
        let first = |name| Some(date::parse(trim(response.values(name).first()?), now.seconds()));
        Self {
            date: first("date").flatten(),
            last_modified: first("last-modified").flatten(),
            expires: first("expires"),
        }
    }
}

/// The lifetime of a response in seconds; none where neither origin nor operator says any and none may be guessed.
///
/// `targeted` says that the directives are those of a targeted field, which take the place of Expires, too (RFC 9213 §2.2).
pub fn lifetime(
    status: u16,
    directives: &ResponseDirectives,
    targeted: bool,
    dates: &Dates,
    response_time: Time,
    rules: &Rules,
) -> Option<(u32, Source)> {
    // §4.2.1: in this order, for a shared cache. §5.3: max-age and s-maxage make Expires ignored.
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some((seconds, Source::Explicit));
    }
    // A response without Date is as if dated when it came (RFC 9110 §6.6.1).
    let date = dates.date.unwrap_or(response_time.seconds());
    if let Some(expires) = dates.expires.filter(|_| !targeted) {
        let seconds = expires.map_or(0, |expires| seconds_between(date, expires));
        return Some((seconds, Source::Explicit));
    }
    let may_guess = is_heuristically_cacheable(status) || directives.public;
    configured(status, may_guess, rules)
        .map(|seconds| (seconds, Source::Configured))
        .or_else(|| may_guess.then(|| (heuristic(date, dates, rules), Source::Heuristic)))
}

fn configured(status: u16, may_guess: bool, rules: &Rules) -> Option<u32> {
    rules.ttl_by_status.get(&status).copied().or(rules.default_ttl.filter(|_| may_guess))
}

/// §4.2.2: a part of the time since the last change.
fn heuristic(date: i64, dates: &Dates, rules: &Rules) -> u32 {
    let unchanged = dates.last_modified.map_or(0, |modified| seconds_between(modified, date));
    clamp_seconds(u64::from(unchanged) * u64::from(rules.heuristic_percent) / 100).min(rules.heuristic_limit)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn of(status: u16, lines: &[(&str, &str)], rules: &Rules) -> Option<(u32, Source)> {
        let lines: Vec<_> = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let directives = ResponseDirectives::parse(&lines.combined("cache-control").unwrap_or_default());
        lifetime(status, &directives, false, &Dates::read(&lines[..], NOW), NOW, rules)
    }

    fn at(offset: i64) -> String {
        date::format(NOW.seconds() + offset)
    }

    #[test]
    fn s_maxage_goes_before_max_age_and_that_before_expires() {
        let rules = Rules::default();
        let (date, expires) = (at(0), at(7));
        let dates = [("date", &*date), ("expires", &*expires)];
        let with = |value| [&dates[..], &[("cache-control", value)]].concat();
        assert_eq!(of(200, &with("max-age=5, s-maxage=3"), &rules), Some((3, Source::Explicit)));
        assert_eq!(of(200, &with("max-age=5"), &rules), Some((5, Source::Explicit)));
        assert_eq!(of(200, &dates, &rules), Some((7, Source::Explicit)));
    }

    #[test]
    fn expires_counts_from_date_and_is_over_where_it_is_no_date() {
        let rules = Rules::default();
        assert_eq!(
            of(200, &[("date", &at(-50)), ("expires", &at(10))], &rules),
            Some((60, Source::Explicit))
        );
        assert_eq!(of(200, &[("expires", &at(10))], &rules), Some((10, Source::Explicit)));
        assert_eq!(of(200, &[("date", "junk"), ("expires", &at(10))], &rules), Some((10, Source::Explicit)));
        for over in ["0", "-1", "junk", "", &at(-1)] {
            assert_eq!(of(200, &[("expires", over)], &rules), Some((0, Source::Explicit)), "{over}");
        }
    }

    #[test]
    fn a_lifetime_is_guessed_for_certain_statuses_or_where_public_says_so() {
        let rules = Rules::default();
        let modified = at(-1000);
        let line = [("last-modified", &*modified)];
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            assert_eq!(of(status, &line, &rules), Some((100, Source::Heuristic)), "{status}");
        }
        for status in [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 599] {
            assert_eq!(of(status, &line, &rules), None, "{status}");
            let public = [line[0], ("cache-control", "public")];
            assert_eq!(of(status, &public, &rules), Some((100, Source::Heuristic)), "{status}");
        }
        assert_eq!(
            of(200, &[("last-modified", &at(-100_000_000))], &rules),
            Some((86_400, Source::Heuristic))
        );
        assert_eq!(of(200, &[], &rules), Some((0, Source::Heuristic)));
    }

    #[test]
    fn what_the_operator_says_goes_before_a_guess_and_after_the_origin() {
        let rules =
            Rules { default_ttl: Some(30), ttl_by_status: [(404, 5), (500, 1)].into(), ..Rules::default() };
        assert_eq!(of(200, &[], &rules), Some((30, Source::Configured)));
        assert_eq!(of(404, &[], &rules), Some((5, Source::Configured)));
        assert_eq!(of(500, &[], &rules), Some((1, Source::Configured)));
        assert_eq!(of(302, &[], &rules), None);
        assert_eq!(of(200, &[("cache-control", "max-age=9")], &rules), Some((9, Source::Explicit)));
    }
}
