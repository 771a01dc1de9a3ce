//! An Envoy that the user names: whether it is one, and the one that the filters are made for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;
use envoy_bootstrap::VERSION;

/// Takes an Envoy that runs. One of another version is taken with a warning: its ABI may differ.
///
/// # Errors
/// It does not run, or is no Envoy.
pub(crate) fn accept(envoy: PathBuf) -> anyhow::Result<PathBuf> {
    let what =
        || format!("--envoy {}; leave it out for Envoy {VERSION}, which is fetched once", envoy.display());
    let asked = Command::new(&envoy).arg("--version").stdin(Stdio::null()).output().with_context(what)?;
    // As `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
    let told = String::from_utf8_lossy(&asked.stdout);
    let Some((_, version)) = told.split_once("version:").filter(|_| asked.status.success()) else {
        return Err(anyhow::anyhow!("is no Envoy: --version gives {} and no version", asked.status))
            .with_context(what);
    };
    if !version.split('/').any(|part| part == VERSION) {
        tracing::warn!("--envoy is {}; the filters are made for {VERSION}", version.trim());
    }
    Ok(envoy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_envoy_is_refused_with_a_remedy() {
        for (path, reason) in
            [("/no/envoy", "No such file"), ("/dev/null", "denied"), ("/bin/false", "is no Envoy")]
        {
            let error = format!("{:#}", accept(path.into()).unwrap_err());
            assert!(error.contains(reason) && error.contains("leave it out"), "{error}");
        }
    }
}
