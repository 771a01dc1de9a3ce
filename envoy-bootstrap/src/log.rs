//! The last lines that an Envoy wrote to its log.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines kept; older ones are forgotten.
const KEPT: usize = 20_000;

/// A shared view of a growing log. Lines are numbered from 0; a number stays valid when old lines are forgotten.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    forgotten: usize,
}

impl Lines {
    fn since(&self, mark: usize) -> impl Iterator<Item = &String> {
        self.kept.iter().skip(mark.saturating_sub(self.forgotten))
    }
}

impl Log {
    /// Appends a line.
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.lines();
        lines.kept.push_back(line);
        if lines.kept.len() > KEPT {
            lines.kept.pop_front();
            lines.forgotten += 1;
        }
        self.shared.1.notify_all();
    }

    /// The number that the next line will have.
    pub fn mark(&self) -> usize {
        let lines = self.lines();
        lines.forgotten + lines.kept.len()
    }

    /// The lines from number `mark` on that are still kept.
    pub fn since(&self, mark: usize) -> Vec<String> {
        self.lines().since(mark).cloned().collect()
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> Vec<String> {
        self.since(self.mark().saturating_sub(count))
    }

    /// Waits until a line from number `mark` on satisfies `wanted`; `false` if none came in time.
    pub fn wait(&self, mark: usize, timeout: Duration, wanted: impl Fn(&str) -> bool) -> bool {
        let until = Instant::now() + timeout;
        let mut lines = self.lines();
        loop {
            if lines.since(mark).any(|line| wanted(line)) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            lines = self.shared.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_valid_when_old_lines_are_forgotten() {
        let log = Log::default();
        (0..KEPT).for_each(|line| log.push(line.to_string()));
        let mark = log.mark();
        log.push("next".to_owned());
        assert_eq!(log.since(mark), ["next"]);
        assert_eq!(log.since(0).len(), KEPT);
        assert_eq!(log.tail(2), [(KEPT - 1).to_string(), "next".to_owned()]);
    }

    #[test]
    fn waiting_sees_lines_that_came_before_and_after() {
        let log = Log::default();
        log.push("early".to_owned());
        assert!(log.wait(0, Duration::ZERO, |line| line == "early"));
        assert!(!log.wait(1, Duration::ZERO, |line| line == "early"));
        let writer = log.clone();
        let thread = std::thread::spawn(move || writer.push("late".to_owned()));
        assert!(log.wait(1, Duration::from_secs(60), |line| line == "late"));
        thread.join().unwrap();
    }
}
