//! Reads what Go's tests say as they go: which passed, which failed, and why.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Causes of one test that are shown.
const CAUSES: usize = 3;

/// The test that all others are part of.
const ROOT: &str = "TestConformance/";

/// How the tests of meshes are named; a gateway skips them all.
const MESH: &str = "Mesh";

/// The results so far.
#[derive(Default)]
pub(crate) struct Results {
    passed: usize,
    skipped: Vec<String>,
    failed: Vec<String>,
    /// What went wrong, by the name of the test in the suite.
    causes: BTreeMap<String, Vec<String>>,
    current: String,
    /// The next line goes on with a cause.
    unfinished: bool,
}

impl Results {
    /// Reads a line; a test of the suite that it begins or ends is returned for people. Go tells the ends of all only
    /// when the last has ended.
    pub(crate) fn read(&mut self, line: &str) -> Option<String> {
        let text = line.trim();
        let started = ["=== RUN", "=== CONT", "=== NAME"].iter().find_map(|mark| text.strip_prefix(mark));
        if let Some(name) = started {
            name.trim().clone_into(&mut self.current);
            self.unfinished = false;
            let begun = text.strip_prefix("=== RUN").and_then(|name| name.trim().strip_prefix(ROOT));
            let begun = begun.filter(|name| !name.contains('/') && !name.starts_with(MESH));
            return begun.map(|name| format!("RUN  {name}"));
        }
        if let Some(ended) = text.strip_prefix("--- ") {
            return self.end(ended);
        }
        self.read_cause(text);
        None
    }

    fn end(&mut self, ended: &str) -> Option<String> {
        let (outcome, rest) = ended.split_once(": ")?;
        let (name, time) = rest.split_once(' ')?;
        let name = name.strip_prefix(ROOT).filter(|name| !name.contains('/'))?;
        match outcome {
            "PASS" => self.passed += 1,
            "SKIP" if name.starts_with(MESH) => return None,
            "SKIP" => self.skipped.push(name.to_owned()),
            _ => self.failed.push(name.to_owned()),
        }
        Some(format!("{outcome} {name} {time}"))
    }

    /// `testify` writes `Error:` and `Messages:`, the suite itself `file.go:1: text`.
    fn read_cause(&mut self, text: &str) {
        let cause = ["Error:", "Messages:"].iter().find_map(|mark| text.strip_prefix(mark));
        let cause = cause.map(str::trim).filter(|cause| !cause.is_empty());
        let further = std::mem::replace(&mut self.unfinished, cause.is_some()) && !text.is_empty();
        let cause = cause.or_else(|| Some(text).filter(|text| further && !text.contains("Test:")));
        let Some(test) = self.current.strip_prefix(ROOT).and_then(|name| name.split('/').next()) else {
            return;
        };
        if let Some(cause) = cause {
            let causes = self.causes.entry(test.to_owned()).or_default();
            if causes.len() < CAUSES && !causes.iter().any(|known| known == cause) {
                causes.push(cause.to_owned());
            }
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.failed.len() + self.skipped.len() == 0
    }

    /// Whether there is none that failed or was skipped.
    pub(crate) fn all_passed(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }

    /// A line for each test that did not pass, and the count of all.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for name in &self.failed {
            let causes = self.causes.get(name).map(|causes| causes.join(" | ")).unwrap_or_default();
            let _ = writeln!(text, "FAILED {name}: {causes}");
        }
        for name in &self.skipped {
            let _ = writeln!(text, "SKIPPED {name}");
        }
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped.len());
        let _ = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Results, Vec<String>) {
        let mut results = Results::default();
        let ended = lines.iter().filter_map(|line| results.read(line)).collect();
        (results, ended)
    }

    #[test]
    fn only_tests_of_the_suite_count_not_their_parts() {
        let (results, ended) = read(&[
            "=== RUN   TestConformance",
            "=== RUN   TestConformance/A",
            "=== RUN   TestConformance/A/part",
            "=== RUN   TestConformance/MeshB",
            "    --- SKIP: TestConformance/MeshB (0.00s)",
            "        --- PASS: TestConformance/A/part (0.10s)",
            "    --- PASS: TestConformance/A (0.20s)",
            "    --- SKIP: TestConformance/B (0.00s)",
            "--- PASS: TestConformance (1.00s)",
        ]);
        assert_eq!(ended, ["RUN  A", "PASS A (0.20s)", "SKIP B (0.00s)"]);
        assert_eq!(results.summary(), "SKIPPED B\n1 passed, 0 failed, 1 skipped\n");
        assert!(!results.all_passed() && !results.is_empty());
    }

    #[test]
    fn a_failure_is_shown_with_what_went_wrong_in_its_parts() {
        let (results, _) = read(&[
            "=== RUN   TestConformance/A/part",
            "    some.go:12: ",
            "        \tError Trace:\t/some.go:12",
            "        \tError:      \tReceived unexpected error:",
            "        \t            \tcontext deadline exceeded",
            "        \tTest:       \tTestConformance/A/part",
            "        \tMessages:   \terror waiting for the Gateway",
            "    --- FAIL: TestConformance/A (0.20s)",
        ]);
        assert_eq!(
            results.summary(),
            "FAILED A: Received unexpected error: | context deadline exceeded | error waiting for the Gateway\n\
             0 passed, 1 failed, 0 skipped\n"
        );
    }
}
