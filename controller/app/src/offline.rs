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
        let pipeline = Pipeline::new(settings, Publisher::new(server.clone()), Arc::default());
        Ok(Self { folder, pipeline, server })
    }

    fn read(&mut self) -> Update {
        let look = self.folder.look(Patience::Now);
        Update { changes: look.changes, diagnostics: self.folder.diagnostics(), took: Duration::ZERO }
    }
}

/// Prints what is wrong. Exit code 0: nothing but warnings; 1: something.
///
/// # Errors
/// There is nothing to check.
pub(crate) fn check(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut bench = Workbench::new(&args.folder.folder)?;
    let update = bench.read();
    let translated = bench.pipeline.run(vec![update]);
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
    let update = bench.read();
    let translated = bench.pipeline.run(vec![update]);
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
