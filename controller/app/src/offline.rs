//! `ferrule check` and `ferrule translate`: what a folder says, without a proxy.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ferrule_translate::Settings;
use ferrule_xds::{Options, Server};
use serde_json::{Map, Value, json};

use crate::cli::{CheckArgs, Notation, TranslateArgs};
use crate::diagnostic::{Diagnostic, Severity};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Translated};
use crate::publish::Publisher;
use crate::record::Record;
use crate::watch::{Folder, Patience, Update};
use crate::{filters, print, yaml};

/// Prints what is wrong. Exit code 0: nothing but warnings; 1: something.
///
/// # Errors
/// There is nothing to check.
pub(crate) fn check(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (translated, _) = translate_folder(&args.folder.folder, Settings::default())?;
    for diagnostic in &translated.diagnostics {
        writeln!(out, "{diagnostic}")?;
    }
    let warnings = translated.diagnostics.len() - errors(&translated.diagnostics);
    let (objects, errors) = (translated.changed.len(), errors(&translated.diagnostics));
    writeln!(out, "{objects} objects, {errors} errors, {warnings} warnings")?;
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
    let (translated, server) = translate_folder(&args.folder.folder, settings)?;
    let document = document(&translated, &server);
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

/// Reads and translates a folder once.
fn translate_folder(folder: &Path, settings: Settings) -> anyhow::Result<(Translated, Server)> {
    if let Err(error) = std::fs::metadata(folder) {
        bail!("{}: {error}", folder.display());
    }
    let mut source = Folder::new(folder).context("the current folder is gone")?;
    let look = source.look(Patience::Now);
    let update = Update { changes: look.changes, diagnostics: source.diagnostics(), took: Duration::ZERO };
    let (server, _) = Server::new(Options::default());
    let mut pipeline = Pipeline::new(settings, Publisher::new(server.clone()), Arc::new(Metrics::default()));
    Ok((pipeline.run(vec![update]), server))
}
