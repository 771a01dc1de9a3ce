//! Runs the conformance suite for our GatewayClass and says what failed.

mod controller;
mod results;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::addresses::{Plan, UNUSABLE};
use crate::build::Suite;
use crate::containment::Containment;
use crate::process::{Output, Starter};

pub(crate) use controller::Controller;
use results::Results;

/// The GatewayClass that is tested.
pub(crate) const CLASS: &str = "ferrule";

/// All profiles for gateways.
const PROFILES: &str = "GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS,GATEWAY-TCP,GATEWAY-UDP";

/// How long the suite may take; Go ends it after that.
const TIMEOUT: &str = "90m";

/// How long the deletion of an object may take. The suite has 30 s, but a namespace with a pod that may take 60 s to end is
/// looked at again after 31 s (namespace controller of Kubernetes: half the longest grace period, and a second).
const DELETE_TIMEOUT: &str = "120s";

/// What to run.
pub(crate) struct Run<'a> {
    /// The suite.
    pub(crate) suite: &'a Suite,
    /// Only tests whose names match one of these.
    pub(crate) only: &'a [String],
    /// What the suite is told on top, such as `-debug`.
    pub(crate) flags: &'a [String],
    /// Where the report and the log go.
    pub(crate) folder: &'a Path,
}

impl Run<'_> {
    /// The report: the official one only of a whole run.
    fn report(&self) -> PathBuf {
        let part = if self.only.is_empty() { "" } else { "-partial" };
        self.folder.join(format!("v{}{part}.yaml", self.suite.version))
    }

    fn log(&self) -> PathBuf {
        self.report().with_extension("log")
    }

    /// The file with options that have no flags. Addresses of others' clusters are not known here.
    fn write_options(&self, plan: Option<Plan>) -> anyhow::Result<PathBuf> {
        let addresses = |address: String| json!([{"type": "IPAddress", "value": address}]);
        let timeouts = json!({"deleteTimeout": DELETE_TIMEOUT});
        let options = match plan {
            Some(plan) => json!({
                "timeoutConfig": timeouts,
                // The cluster goes with them.
                "cleanupBaseResources": false,
                "usableNetworkAddresses": addresses(plan.static_load_balancer().to_string()),
                "unusableNetworkAddresses": addresses(UNUSABLE.to_string()),
            }),
            None => json!({"timeoutConfig": timeouts}),
        };
        let path = self.folder.join("options.yaml");
        fs::write(&path, options.to_string()).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn command(&self, plan: Option<Plan>) -> anyhow::Result<Vec<String>> {
        let mut command = vec![
            self.suite.program().display().to_string(),
            "-test.v".to_owned(),
            format!("-test.timeout={TIMEOUT}"),
            format!("-test.run={}", pattern(self.only)),
            format!("-conformance-options-file={}", self.write_options(plan)?.display()),
            format!("-gateway-class={CLASS}"),
            format!("-conformance-profiles={PROFILES}"),
            format!("-report-output={}", self.report().display()),
            "-organization=ferrule".to_owned(),
            "-project=ferrule".to_owned(),
            "-url=https://ferrule.dev".to_owned(),
            "-contact=maintainers@ferrule.dev".to_owned(),
            format!("-version=v{}", env!("CARGO_PKG_VERSION")),
        ];
        command.extend(self.flags.iter().cloned());
        Ok(command)
    }

    /// Runs the suite on the cluster of `kubeconfig`; whether all tests passed. `plan` has the cluster's addresses when
    /// it is ours.
    ///
    /// # Errors
    /// The suite could not be run, or ran no test.
    pub(crate) async fn start(
        &self,
        starter: &Starter,
        kubeconfig: &Path,
        plan: Option<Plan>,
    ) -> anyhow::Result<bool> {
        let began = Instant::now();
        let containment = Containment {
            command: self.command(plan)?,
            environment: vec![
                ("KUBECONFIG".to_owned(), kubeconfig.display().to_string()),
                ("PATH".to_owned(), crate::process::SYSTEM_PATH.to_owned()),
                ("HOME".to_owned(), "/".to_owned()),
            ],
            ..Containment::default()
        };
        let mut log = File::create(self.log())?;
        let mut child = starter.contain(&containment, Output::Pipes).await?;
        let mut results = Results::default();
        let (output, errors) =
            (child.stdout.take().context("no output")?, child.stderr.take().context("no errors")?);
        let mut lines = BufReader::new(output).split(b'\n');
        let copied = tokio::spawn(copy(errors, log.try_clone()?));
        while let Some(line) = lines.next_segment().await? {
            let line = String::from_utf8_lossy(&line);
            writeln!(log, "{line}")?;
            if let Some(finished) = results.read(&line) {
                println!("{finished}");
            }
        }
        let status = child.wait().await?;
        let _ = copied.await;
        self.conclude(&results, status.success(), began)
    }

    fn conclude(&self, results: &Results, success: bool, began: Instant) -> anyhow::Result<bool> {
        let log = self.log();
        print!("\n{}", results.summary());
        println!(
            "in {} s; log: {}; report: {}",
            began.elapsed().as_secs(),
            log.display(),
            self.report().display()
        );
        if results.is_empty() {
            bail!("the suite ran no test:\n{}", quote(&log));
        }
        if !success && results.all_passed() {
            bail!("the suite failed, but no test of it:\n{}", quote(&log));
        }
        // A feature that is not claimed is not conformance, though the suite lets it pass.
        Ok(success && results.all_passed())
    }
}

/// Go's pattern of the tests whose names match one of `only`.
fn pattern(only: &[String]) -> String {
    if only.is_empty() {
        "^TestConformance$".to_owned()
    } else {
        format!("^TestConformance$/{}", only.join("|"))
    }
}

async fn copy(mut from: impl tokio::io::AsyncRead + Unpin, mut to: File) {
    let mut lines = BufReader::new(&mut from).split(b'\n');
    while let Ok(Some(mut line)) = lines.next_segment().await {
        line.push(b'\n');
        // The log helps people; a disk that is full must not stop the tests.
        let _ = to.write_all(&line);
    }
}

fn quote(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn patterns_select_whole_tests_by_name() {
        assert_eq!(pattern(&[]), "^TestConformance$");
        assert_eq!(pattern(&["^HTTPRoute".to_owned(), "TLS".to_owned()]), "^TestConformance$/^HTTPRoute|TLS");
    }
}
