//! When someone's credentials are fetched again, and what is known of them meanwhile. Pure: time and chance are arguments.

use std::time::{Duration, SystemTime};

use aws_smithy_types::date_time::{DateTime, Format};
use ferrule_translate::{Issue, SecretText};

/// Credentials without an end may be others by now: files change, environments do not.
const WITHOUT_END: Duration = Duration::from_secs(300);
/// The longest time before their end that credentials are renewed; of short ones it is a quarter of their life.
const LEAD: Duration = Duration::from_secs(600);
/// After the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// At most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Credentials that were fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// As the filters read them.
    pub text: SecretText,
    /// When they are of no use any more, if ever.
    pub expires: Option<SystemTime>,
    /// What provided them.
    pub source: String,
}

/// How it goes with one identity.
#[derive(Clone, Debug)]
pub struct Course {
    last: Option<Fetched>,
    error: Option<String>,
    failures: u32,
    next: SystemTime,
}

impl Course {
    /// One that begins at `now`, with a fetch.
    pub fn new(now: SystemTime) -> Self {
        Self { last: None, error: None, failures: 0, next: now }
    }

    /// When the next fetch is due.
    pub fn next(&self) -> SystemTime {
        self.next
    }

    /// When to look again: a fetch is due, or what is known changes by itself.
    pub fn wake(&self, now: SystemTime) -> SystemTime {
        let end = self.last.as_ref().and_then(|last| last.expires).filter(|end| *end > now);
        end.map_or(self.next, |end| end.min(self.next))
    }

    /// A fetch has succeeded. `chance` is from 0 to 1, so that many do not renew theirs at once.
    pub fn succeeded(&mut self, now: SystemTime, fetched: Fetched, chance: f64) {
        let pause = match fetched.expires {
            None => WITHOUT_END,
            Some(end) => {
                let life = end.duration_since(now).unwrap_or_default();
                let lead = (life / 4).min(LEAD);
                life.saturating_sub(lead + lead.mul_f64(chance.clamp(0.0, 1.0) / 2.0))
            }
        };
        (self.failures, self.error) = (0, None);
        // Those that end at once would be fetched without a pause.
        self.next = now + pause.max(FIRST_PAUSE);
        self.last = Some(fetched);
    }

    /// A fetch has failed. `chance` is from 0 to 1.
    pub fn failed(&mut self, now: SystemTime, error: String, chance: f64) {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.error = Some(error);
        self.next = now + pause.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    }

    /// What is known at `now`; `None` before the first fetch has come to an end.
    pub fn issue(&self, now: SystemTime) -> Option<Issue> {
        if self.last.is_none() && self.error.is_none() {
            return None;
        }
        let of_use = self.last.as_ref().filter(|last| last.expires.is_none_or(|end| end > now));
        Some(Issue {
            credentials: of_use.map(|last| last.text.clone()),
            expires: of_use.and_then(|last| last.expires).and_then(rfc3339),
            source: of_use.map(|last| last.source.clone()).unwrap_or_default(),
            error: self.error.clone(),
        })
    }
}

/// To the second.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    DateTime::from_secs(i64::try_from(seconds).ok()?).fmt(Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn fetched(expires: Option<SystemTime>) -> Fetched {
        Fetched { text: SecretText::new(b"{}".to_vec()), expires, source: "test".to_owned() }
    }

    #[test]
    fn credentials_are_renewed_before_they_end_and_not_all_at_once() {
        let mut course = Course::new(start());
        assert_eq!((course.next(), course.issue(start())), (start(), None));
        let mut next = |life: Duration, chance: f64| {
            course.succeeded(start(), fetched(Some(start() + life)), chance);
            course.next().duration_since(start()).unwrap()
        };
        assert_eq!(next(HOUR, 0.0), HOUR - LEAD);
        assert_eq!(next(HOUR, 1.0), HOUR - LEAD * 3 / 2);
        assert_eq!(next(Duration::from_secs(900), 0.0), Duration::from_secs(675));
        assert_eq!(next(Duration::ZERO, 1.0), FIRST_PAUSE);
        course.succeeded(start(), fetched(None), 1.0);
        assert_eq!(course.next(), start() + WITHOUT_END);
    }

    #[test]
    fn credentials_of_use_stay_in_use_while_their_renewal_fails() {
        let (mut course, end) = (Course::new(start()), start() + HOUR);
        course.succeeded(start(), fetched(Some(end)), 0.0);
        let late = end - Duration::from_secs(1);
        course.failed(late, "STS is down".to_owned(), 1.0);
        let issue = course.issue(late).unwrap();
        assert_eq!((issue.credentials.is_some(), issue.error.as_deref()), (true, Some("STS is down")));
        assert_eq!(issue.expires.as_deref(), Some("2027-01-15T09:00:00Z"));
        assert_eq!(course.wake(late), end, "their end is news");
        let issue = course.issue(end).unwrap();
        assert_eq!((issue.credentials.is_some(), issue.error.as_deref()), (false, Some("STS is down")));
        course.succeeded(end, fetched(Some(end + HOUR)), 0.0);
        let issue = course.issue(end).unwrap();
        assert_eq!((issue.credentials.is_some(), issue.error), (true, None));
    }

    #[test]
    fn pauses_between_failures_grow_to_a_limit_and_are_spread() {
        let mut course = Course::new(start());
        let mut pause = |chance| {
            course.failed(start(), String::new(), chance);
            course.next().duration_since(start()).unwrap().as_secs_f64()
        };
        let pauses: Vec<f64> = (0..8).map(|_| pause(1.0)).collect();
        assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert!((pause(0.0) - 30.0).abs() < 1e-6);
        assert!((0..100).all(|_| pause(0.5) <= 60.0));
    }
}
