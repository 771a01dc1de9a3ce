//! Cases as tests of their own: names, filters and exit codes as of `cargo test`.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::Failure;

/// A list of tests to hand to [`Trials::run`], in a test target with `harness = false`.
#[derive(Default)]
pub struct Trials {
    trials: Vec<Trial>,
}

impl Trials {
    /// Adds a test; `name` is what `cargo test NAME` filters by.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        run: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ) {
        self.trials.push(Trial::test(name, move || run().map_err(Into::into)));
    }

    /// Adds a test that fails with `reason`: for what keeps others from being listed.
    pub fn add_broken(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        let reason = reason.into();
        self.trials.push(Trial::test(name, move || Err(reason.into())));
    }

    /// Runs what the command line asks for, as the standard test harness does.
    pub fn run(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.trials).exit_code()
    }
}
