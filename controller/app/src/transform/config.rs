//! The configuration to try: a template, a TrafficPolicy's `spec.transformation`, or the filter's own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::cli::TransformArgs;
use crate::manifest::{self, Manifest, Part, Positions};
use crate::message::contents;

/// What is to be tried.
#[derive(Debug)]
pub(super) struct Configured {
    /// The filter's configuration.
    pub(super) json: Value,
    pub(super) origin: Origin,
    /// Secrets by name.
    pub(super) secrets: BTreeMap<String, Vec<u8>>,
}

/// Where the configuration was written.
#[derive(Debug, Default)]
pub(super) struct Origin {
    file: Option<String>,
    /// Of a TrafficPolicy.
    positions: Option<Positions>,
}

/// Where the filter's configuration stands in a TrafficPolicy.
const FIELD: &str = "spec.transformation";

impl Origin {
    /// A line for people: file, line and column, as far as they are known, then field and reason.
    pub(super) fn place(&self, field: &str, reason: &str) -> Line {
        let field = match (&self.positions, field.is_empty()) {
            (Some(_), true) => FIELD.to_owned(),
            (Some(_), false) => format!("{FIELD}.{field}"),
            (None, _) => field.to_owned(),
        };
        let mark = self.positions.as_ref().map(|positions| positions.find(&field));
        let place = self.file.as_ref().map(|file| match mark {
            Some(mark) => format!("{file}:{}:{}", mark.line, mark.column),
            None => file.clone(),
        });
        let parts = place.into_iter().chain((!field.is_empty()).then_some(field));
        Line(parts.chain([reason.to_owned()]).collect::<Vec<_>>().join(": "))
    }
}

/// A line for people.
#[derive(Debug)]
pub(super) struct Line(String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads what the command line names; `body` is that of the message that a template is for. The inner error is one of
/// the configuration.
pub(super) fn read(args: &TransformArgs, body: &[u8]) -> anyhow::Result<Result<Configured, Line>> {
    let (mut json, origin) = match (&args.template, &args.config) {
        (Some(template), _) => (of_template(args, template, body), Origin::default()),
        (None, Some(file)) => match of_file(file)? {
            Ok(read) => read,
            Err(line) => return Ok(Err(line)),
        },
        (None, None) => bail!("nothing to try: give --template or --config"),
    };
    let Some(fields) = json.as_object_mut() else {
        return Ok(Err(origin.place("", "must be a map")));
    };
    let secrets = pairs(&args.secrets, "--secret")?;
    name_secrets(fields, &secrets);
    if let Err((field, reason)) = fill_texts(fields, &pairs(&args.data_sources, "--data-source")?) {
        return Ok(Err(origin.place(&field, &reason)));
    }
    let secrets = secrets.into_iter().map(|(alias, value)| (alias, value.into_bytes())).collect();
    Ok(Ok(Configured { json, origin, secrets }))
}

fn of_template(args: &TransformArgs, template: &str, body: &[u8]) -> Value {
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let parse_as = match &args.parse_as {
        Some(parse_as) => parse_as.as_str(),
        None if is_json() => "AsJson",
        None => "AsString",
    };
    let message = if args.response { "response" } else { "request" };
    json!({message: {"body": {"parseAs": parse_as, "value": template}}})
}

/// The configuration in a file: that of its one TrafficPolicy, or all of it where it holds no object.
fn of_file(file: &Path) -> anyhow::Result<Result<(Value, Origin), Line>> {
    let name = file.display().to_string();
    let text = String::from_utf8(contents(file)?).with_context(|| format!("{name} is no UTF-8"))?;
    let parts = manifest::read(&text);
    let is_policy =
        |part: &&Part| matches!(part, Part::Object(manifest) if manifest.identity.kind == "TrafficPolicy");
    match parts.iter().filter(is_policy).count() {
        1 => {}
        0 if parts.iter().any(|part| matches!(part, Part::Object(_))) => bail!("{name} has no TrafficPolicy"),
        0 => {
            let json = serde_saphyr::from_str(&text).with_context(|| name.clone())?;
            return Ok(Ok((json, Origin { file: Some(name), positions: None })));
        }
        several => bail!("{name} has {several} TrafficPolicies; one can be tried at a time"),
    }
    let policy = parts.into_iter().find(|part| is_policy(&part));
    let Some(Part::Object(Manifest { value, positions, faults, .. })) = policy else {
        bail!("{name}: no policy")
    };
    if let Some(fault) = faults.first() {
        let at = fault.at;
        return Ok(Err(Line(format!("{name}:{}:{}: {}: {}", at.line, at.column, fault.path, fault.message))));
    }
    let Some(json) = value.pointer("/spec/transformation") else { bail!("{name}: no {FIELD}") };
    Ok(Ok((json.clone(), Origin { file: Some(name), positions: Some(positions) })))
}

fn pairs(written: &[String], option: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let parse = |pair: &String| {
        // What stands behind the first `=` may be a secret.
        let wrong = || format!("{option}: wanted is NAME=TEXT");
        let (name, text) = pair.split_once('=').with_context(wrong)?;
        Ok((name.to_owned(), text.to_owned()))
    };
    written.iter().map(parse).collect()
}

/// Wherever a secret would come from, here it comes from the command line, under its own name.
fn name_secrets(fields: &mut Map<String, Value>, given: &BTreeMap<String, String>) {
    let written = fields.get("secrets").and_then(Value::as_object);
    let aliases: Vec<String> = written.into_iter().flat_map(Map::keys).chain(given.keys()).cloned().collect();
    if !aliases.is_empty() {
        let named = aliases.into_iter().map(|alias| (alias.clone(), json!({"sdsName": alias}))).collect();
        fields.insert("secrets".to_owned(), Value::Object(named));
    }
}

/// Texts of ConfigMaps come from the command line, too.
fn fill_texts(
    fields: &mut Map<String, Value>,
    given: &BTreeMap<String, String>,
) -> Result<(), (String, String)> {
    if !given.is_empty() {
        fields.entry("dataSources").or_insert_with(|| json!({}));
    }
    let Some(sources) = fields.get_mut("dataSources").and_then(Value::as_object_mut) else { return Ok(()) };
    for (name, text) in given {
        sources.insert(name.clone(), json!({"inline": text}));
    }
    match sources.iter().find(|(_, source)| source.get("configMapRef").is_some()) {
        Some((name, _)) => {
            let reason = format!(
                "is read from a ConfigMap, which is not looked up here; give it by --data-source {name}=TEXT"
            );
            Err((format!("dataSources.{name}"), reason))
        }
        None => Ok(()),
    }
}
