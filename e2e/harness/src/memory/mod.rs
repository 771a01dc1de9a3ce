//! Runs cases of a [`Filter`] in process: milliseconds, no Envoy, debuggable like any test.
//!
//! The runner does around the filter what Envoy does where it shows: buffer limits, local replies, held messages, upstream
//! resets. What it cannot do, a case leaves to the real hosts by `only:`.

mod opened;
mod reset;
mod side;
mod stream;
mod view;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ferrule_kit::{Filter, compile};

use crate::case::{Case, Host, clock};
use crate::{Failure, Trials, check};
use stream::Stream;

/// The `main` of a test target with `harness = false`: each case of the folder is a test of its own.
///
/// ```no_run
/// # struct MyFilter;
/// # impl ferrule_kit::Filter for MyFilter {
/// #     const NAME: &'static str = "my";
/// #     type Config = ();
/// #     type Stream = ();
/// #     fn compile((): ()) -> Result<Self, ferrule_kit::ConfigError> { Ok(Self) }
/// # }
/// fn main() -> std::process::ExitCode {
///     envoy_harness::memory::main::<MyFilter>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))
/// }
/// ```
pub fn main<F: Filter>(folder: impl AsRef<Path>) -> ExitCode {
    let mut trials = Trials::default();
    add::<F>(&mut trials, folder.as_ref());
    trials.run()
}

/// Adds each case of the folder as a test named `memory/<case>`. A folder that cannot be read is a failing test.
pub fn add<F: Filter>(trials: &mut Trials, folder: &Path) {
    match Case::load_dir(folder) {
        Err(error) => trials.add_broken("memory/cases", error.to_string()),
        Ok(cases) => {
            for case in cases.into_iter().filter(|case| case.runs_on(Host::Memory)) {
                trials.add(format!("memory/{}", case.name), move || run::<F>(&case));
            }
        }
    }
}

/// Runs one case, whatever hosts it names.
///
/// # Errors
/// The report of what was not as expected.
pub fn run<F: Filter>(case: &Case) -> Result<(), Failure> {
    let filters = match (filters::<F>(case), case.refusal()) {
        (Ok(filters), None) => filters,
        (Err(error), Some(text)) if error.contains(text) => return Ok(()),
        (Err(error), Some(text)) => {
            return Err(Failure::unplayable(
                case,
                format!("  refused with {error:?}\n  which lacks {text:?}"),
            ));
        }
        (Ok(_), Some(text)) => {
            return Err(Failure::unplayable(case, format!("  not refused; wanted {text:?}")));
        }
        (Err(error), None) => return Err(Failure::unplayable(case, format!("  refused: {error}"))),
    };
    let mut clock = clock::start();
    for (at, exchange) in case.exchanges().iter().enumerate() {
        clock += Duration::from_secs(exchange.after_seconds);
        let seen = Stream::play(case, exchange, &filters, clock);
        let mismatches = check(&exchange.expect, &seen);
        if !mismatches.is_empty() {
            return Err(Failure::mismatches(case, at, &seen, &mismatches));
        }
    }
    Ok(())
}

/// The compiled filter of each route that has one.
fn filters<F: Filter>(case: &Case) -> Result<Vec<Option<Arc<F>>>, String> {
    let compiled = case.routes.iter().map(|route| {
        let config = route.config.as_ref().map(ToString::to_string);
        config.map(|json| compile::<F>(json.as_bytes()).map(Arc::new)).transpose()
    });
    compiled.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
