//! A circuit breaker: what fails again and again is left alone for a time, then tried by one who waits for nothing.

use std::time::{Duration, Instant};

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures one after the other.
    pub failures: u32,
    /// The least time that it stays open.
    pub cool_down: Duration,
}

/// The breaker. Time is an argument.
#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    /// Failures since the last success.
    failures: u32,
    /// When it may be tried again.
    open_until: Option<Instant>,
}

impl Breaker {
    /// A closed one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, failures: 0, open_until: None }
    }

    /// Whether requests may be made.
    pub fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }

    /// When a probe is due; none while it is closed.
    pub fn probe_at(&self) -> Option<Instant> {
        self.open_until
    }

    /// Something went well.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.open_until = None;
    }

    /// Something failed. `jitter`, of 0 to 255, spreads the probes of many proxies over half of the cool-down.
    pub fn failed(&mut self, now: Instant, jitter: u8) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.limits.failures {
            let more = self.limits.cool_down / 512 * u32::from(jitter);
            self.open_until = now.checked_add(self.limits.cool_down + more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(512);

    fn breaker() -> Breaker {
        Breaker::new(Limits { failures: 3, cool_down: COOL_DOWN })
    }

    #[test]
    fn failures_one_after_the_other_open_it_and_a_probe_closes_it() {
        let (mut breaker, now) = (breaker(), Instant::now());
        breaker.failed(now, 0);
        breaker.failed(now, 0);
        assert!(breaker.is_closed() && breaker.probe_at().is_none());
        breaker.failed(now, 0);
        assert!(!breaker.is_closed());
        assert_eq!(breaker.probe_at(), Some(now + COOL_DOWN));
        breaker.succeeded();
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_success_in_between_keeps_it_closed() {
        let (mut breaker, now) = (breaker(), Instant::now());
        for _ in 0..10 {
            breaker.failed(now, 0);
            breaker.failed(now, 0);
            breaker.succeeded();
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_proxies_do_not_probe_all_at_once() {
        let (mut breaker, now) = (breaker(), Instant::now());
        (0..3).for_each(|_| breaker.failed(now, 255));
        assert_eq!(breaker.probe_at(), Some(now + COOL_DOWN + Duration::from_secs(255)));
        let later = now + COOL_DOWN * 2;
        breaker.failed(later, 128);
        assert_eq!(breaker.probe_at(), Some(later + COOL_DOWN + Duration::from_secs(128)));
    }
}
