//! `ferrule check` and `ferrule translate`: what a folder says, without a proxy.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ferrule_translate::Settings;
use ferrule_xds::{Options, Server};
use serde_json::{Map, Value, json};

use crate::cli::{CheckArgs, Notation, TranslateArgs};
use crate::diagnostic::{Diagnostic, Severity};
use crate::pipeline::{Pipeline, Translated};
use crate::publish::Publisher;
use crate::record::Record;
use crate::watch::{Folder, Patience, Update};
use crate::{filters, print, yaml};

/// A folder and what it translates to, without proxies.
pub struct Workbench {
    folder: Folder,
    pipeline: Pipeline,
    server: Server,
}

/// What a [`Workbench::refresh`] did.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// Time to read what changed in the folder.
    pub read: Duration,
    /// Time to translate and publish it.
    pub translated: Duration,
    /// Objects that are held.
    pub objects: usize,
    /// Of these, how many came or changed.
    pub changed: usize,
    /// Things that are wrong.
    pub errors: usize,
}

impl Workbench {
    /// Reads nothing yet.
    ///
    /// # Errors
    /// There is no such folder or file.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        Self::with(folder, Settings::default())
    }

    /// Reads, translates and publishes what changed since the last time.
    pub fn refresh(&mut self) -> Refresh {
        let begun = Instant::now();
        let update = self.read();
        let read = begun.elapsed();
        let begun = Instant::now();
        let translated = self.pipeline.run(vec![update]);
        Refresh {
            read,
            translated: begun.elapsed(),
            objects: self.pipeline.objects(),
            changed: translated.changed.len(),
            errors: errors(&translated.diagnostics),
        }
    }

    fn with(folder: &Path, settings: Settings) -> anyhow::Result<Self> {
        if let Err(error) = std::fs::metadata(folder) {
            bail!("{}: {error}", folder.display());
        }
        let folder = Folder::new(folder).context("the current folder is gone")?;
        let (server, _) = Server::new(Options::default());
        let pipeline = Pipeline::new(settings, Publisher::shared(server.clone()), Arc::default());
        Ok(Self { folder, pipeline, server })
    }

    /// Reads, translates and publishes what changed; says what came of it.
    pub(crate) fn translated(&mut self) -> Translated {
        let update = self.read();
        self.pipeline.run(vec![update])
    }

    /// What is read, and what it means.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    fn read(&mut self) -> Update {
        let look = self.folder.look(Patience::Now);
        Update::of_objects(look.changes, self.folder.diagnostics(), Duration::ZERO)
    }
}

/// Prints what is wrong. Exit code 0: nothing but warnings; 1: something.
///
/// # Errors
/// There is nothing to check.
pub(crate) fn check(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut bench = Workbench::new(&args.folder.folder)?;
    let translated = bench.translated();
    for diagnostic in &translated.diagnostics {
        writeln!(out, "{diagnostic}")?;
    }
    let warnings = translated.diagnostics.len() - errors(&translated.diagnostics);
    let (objects, errors) = (translated.changed.len(), errors(&translated.diagnostics));
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let [objects, found, warnings] =
        [(objects, "object"), (errors, "error"), (warnings, "warning")].map(|(n, what)| counted(n, what));
    writeln!(out, "{objects}, {found}, {warnings}")?;
    Ok(verdict(errors))
}

/// Prints resources and status on `out`, and what is wrong on `complaints`. Exit code as of [`check`].
///
/// # Errors
/// There is nothing to translate.
pub(crate) fn translate(
    args: &TranslateArgs,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let settings = Settings { filter_host: filters::nominal(&args.filters).host, ..Settings::default() };
    let mut bench = Workbench::with(&args.folder.folder, settings)?;
    let translated = bench.translated();
    let document = document(&translated, &bench.server);
    match args.output {
        Notation::Yaml => out.write_all(yaml::documents(&[document])?.as_bytes())?,
        Notation::Json => writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?,
    }
    for diagnostic in &translated.diagnostics {
        writeln!(complaints, "{diagnostic}")?;
    }
    Ok(verdict(errors(&translated.diagnostics)))
}

/// Prints the CustomResourceDefinitions of the kinds that are this project's to define.
///
/// # Errors
/// Nobody reads what is printed.
pub(crate) fn crds(out: &mut impl Write) -> anyhow::Result<()> {
    out.write_all(yaml::documents(&ferrule_schema::crds())?.as_bytes())?;
    Ok(())
}

fn document(translated: &Translated, server: &Server) -> Value {
    let gateways = translated.published.keys();
    let resources: Map<String, Value> = gateways
        .map(|gateway| (gateway.to_string(), print::snapshot(&server.snapshot(gateway).unwrap_or_default())))
        .collect();
    let status: Vec<Record> =
        translated.translation.status.iter().map(|(object, status)| Record::of(object, status)).collect();
    json!({"gateways": resources, "status": status})
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
}

fn verdict(errors: usize) -> ExitCode {
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const READS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: c}
spec: {controllerName: ferrule.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec: {gatewayClassName: c, listeners: [{name: http, protocol: HTTP, port: 80}]}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: p}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}]
  transformation:
    request: {set: [{name: a, value: \"{{ secret('s') }}\"}]}
    secrets: {s: {secretRef: {name: s}, key: k}}
";

    /// What `check` and `translate` print of a policy and the Secret that it reads, with these fields.
    fn told(fields: &str) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        let secret = format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{fields}\n");
        std::fs::write(folder.path().join("all.yaml"), format!("{READS}{secret}")).unwrap();
        let path = folder.path().to_str().unwrap();
        let (mut checked, mut translated) = (Vec::new(), Vec::new());
        for command in ["check", "translate"] {
            match Cli::parse_from(["ferrule", command, "-f", path]).command {
                Command::Check(args) => check(&args, &mut checked).unwrap(),
                Command::Translate(args) => {
                    let mut complaints = Vec::new();
                    let code = translate(&args, &mut translated, &mut complaints).unwrap();
                    translated.append(&mut complaints);
                    code
                }
                other => panic!("{other:?}"),
            };
        }
        [checked, translated].map(|printed| String::from_utf8(printed).unwrap())
    }

    #[test]
    fn secrets_are_translated_and_not_shown() {
        let [checked, translated] = told("stringData: {k: hunter2}");
        assert_eq!(checked, "4 objects, 0 errors, 0 warnings\n");
        assert!(
            translated.contains("name: default/s/k") && translated.contains("[redacted]"),
            "{translated}"
        );
        assert!(!translated.contains("hunter2"), "{translated}");
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_told_by_its_place_without_its_value() {
        for (fields, place) in [
            ("data: {k: hunter2}", "all.yaml:23:8: Secret default/s: data.k: is not base64"),
            ("data: hunter2", "all.yaml:23:1: Secret default/s: data: "),
            ("stringData: {k: [hunter2]}", "all.yaml:23:14: Secret default/s: stringData.k: must be text"),
            ("stringData: {k: !!int hunter2}", "all.yaml:23:"),
            ("stringData: {k: *hunter2}", "all.yaml:23:"),
            (
                "stringData: {other: hunter2}",
                "all.yaml:18:41: TrafficPolicy default/p: spec.transformation.secrets.s.key: Secret default/s has no key k",
            ),
        ] {
            let printed = told(fields).concat();
            assert!(printed.contains(place), "{fields}: {printed}");
            assert!(!printed.contains("hunter2"), "{fields}: {printed}");
        }
    }
}
