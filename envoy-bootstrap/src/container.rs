//! What a proxy's container does: becomes Envoy, and takes leave before it ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::{Address, Admin, AdminError};

/// The variables that tell Envoy who it is: a flag of its, and the variable.
const IDENTITY: [(&str, &str); 2] = [("--service-node", "POD_NAME"), ("--service-zone", "ZONE")];

/// Why this process did not become Envoy.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is no bootstrap.
    #[error("the bootstrap {}: {source}", .path.display())]
    Config {
        /// Where it should be.
        path: PathBuf,
        /// Why it is not.
        source: io::Error,
    },
    /// The binary does not start.
    #[error("starting {}: {source}", .program.display())]
    Start {
        /// The binary.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Becomes the Envoy `program` with the bootstrap `config` and further `arguments`; returns only if that fails.
///
/// `node.id` and the zone are those of the variables `POD_NAME` and `ZONE`, unless the bootstrap has its own. The
/// process stays the same one, so the signals and the exit status of a container are Envoy's.
pub fn exec(program: &Path, config: &Path, arguments: &[OsString]) -> ExecError {
    if let Err(source) = std::fs::File::open(config) {
        return ExecError::Config { path: config.to_owned(), source };
    }
    let mut command = Command::new(program);
    command.args(command_line(config, |name| std::env::var_os(name), arguments));
    ExecError::Start { program: program.to_owned(), source: command.exec() }
}

fn command_line(
    config: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
    arguments: &[OsString],
) -> Vec<OsString> {
    // Shared memory under an id of the host's would be all that a restart could be hot by.
    let mut line: Vec<OsString> = vec!["--config-path".into(), config.into(), "--disable-hot-restart".into()];
    for (flag, name) in IDENTITY {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            line.extend([flag.into(), value]);
        }
    }
    line.extend(arguments.iter().cloned());
    line
}

/// Has the Envoy at `admin` fail its health check, and gives everybody `time` to notice: those who route to it by its
/// readiness, and its clients, whose connections it closes after their next response.
///
/// # Errors
/// Envoy did not take it; the time was not waited for.
pub fn drain(admin: Address, time: Duration) -> Result<(), AdminError> {
    Admin::new(admin).post("/healthcheck/fail")?;
    thread::sleep(time);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_is_told_who_it_is_as_far_as_that_is_known() {
        let variable = |name: &str| match name {
            "POD_NAME" => Some("web-1".into()),
            "ZONE" => Some("".into()),
            _ => None,
        };
        let line = command_line(Path::new("/c.yaml"), variable, &["--log-level".into(), "info".into()]);
        let expected = [
            "--config-path",
            "/c.yaml",
            "--disable-hot-restart",
            "--service-node",
            "web-1",
            "--log-level",
            "info",
        ];
        assert_eq!(line, expected);
    }

    #[test]
    fn a_container_without_its_bootstrap_says_so() {
        let error = exec(Path::new("/bin/true"), Path::new("/nowhere/bootstrap.yaml"), &[]);
        assert!(
            error.to_string().starts_with("the bootstrap /nowhere/bootstrap.yaml: No such file"),
            "{error}"
        );
    }
}
