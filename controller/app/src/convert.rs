//! `ferrule convert`: what Gloo wrote, as TrafficPolicies.

mod place;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use ferrule_convert::{Conversion, Notation, Note, Remark, Rest, Severity, Surroundings};
use serde_json::Value;

use crate::cli::ConvertArgs;
use crate::manifest::{self, Fault, Manifest, Mark, Part};
use crate::yaml;

/// Exit code where something could not be converted.
const INCOMPLETE: u8 = 1;
/// Exit code where something could not be read.
const UNREADABLE: u8 = 2;

/// Prints policies on `out` and what there is to know about them on `notes`.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn convert(
    args: &ConvertArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    if let Some(template) = &args.template {
        return convert_template(template, args.advanced, out, notes);
    }
    let rest = if args.partial { Rest::Emitted } else { Rest::Nothing };
    let (mut policies, mut worst, mut names) = (Vec::new(), 0, BTreeSet::new());
    for file in &args.files {
        let (name, text) = read(file)?;
        let converted = File { name, text }.convert(rest, &mut names);
        for line in &converted.lines {
            writeln!(notes, "{line}")?;
        }
        policies.extend(converted.policies);
        worst = worst.max(converted.exit_code);
    }
    out.write_all(yaml::documents(&policies)?.as_bytes())?;
    Ok(ExitCode::from(worst))
}

/// A file's name for people, and its text.
fn read(file: &Path) -> anyhow::Result<(String, String)> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("stdin")?;
        return Ok(("stdin".to_owned(), text));
    }
    let name = file.display().to_string();
    std::fs::read_to_string(file).map(|text| (name.clone(), text)).context(name)
}

fn convert_template(
    template: &str,
    advanced: bool,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let notation = if advanced { Notation::Pointer } else { Notation::Dot };
    let surroundings = Surroundings { notation, json: true, end_matters: true, ..Surroundings::default() };
    let rewritten = ferrule_convert::rewrite(template, &surroundings);
    for Remark { severity, place, message } in &rewritten.remarks {
        writeln!(notes, "template:{}:{}: {severity}: {message}", place.line, place.column)?;
    }
    match rewritten.text {
        Some(text) => {
            writeln!(out, "{text}")?;
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(INCOMPLETE)),
    }
}

/// A file to convert.
struct File {
    name: String,
    text: String,
}

/// What came of it.
#[derive(Default)]
struct Converted {
    policies: Vec<Value>,
    lines: Vec<Line>,
    exit_code: u8,
}

/// A line for people: `file:line:column: severity: object: field: message`.
struct Line {
    file: String,
    at: Mark,
    severity: Severity,
    parts: [String; 3],
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: ", self.file, self.at.line, self.at.column, self.severity)?;
        let parts: Vec<_> = self.parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        f.write_str(&parts.join(": "))
    }
}

impl File {
    /// `names`: of the policies so far, as `namespace/name`.
    fn convert(&self, rest: Rest, names: &mut BTreeSet<String>) -> Converted {
        let mut converted = Converted::default();
        for part in manifest::read(&self.text) {
            match part {
                Part::Object(manifest) if manifest.faults.is_empty() => {
                    self.convert_object(&manifest, rest, names, &mut converted);
                }
                Part::Object(manifest) => {
                    let object = manifest.identity.to_string();
                    manifest.faults.iter().for_each(|fault| self.unreadable(&object, fault, &mut converted));
                }
                Part::Unreadable(identity, fault) => {
                    self.unreadable(&identity.to_string(), &fault, &mut converted);
                }
            }
        }
        converted.lines.sort_by_key(|line| line.at);
        converted
    }

    fn convert_object(
        &self,
        manifest: &Manifest,
        rest: Rest,
        names: &mut BTreeSet<String>,
        converted: &mut Converted,
    ) {
        let Conversion { policies, mut notes } = ferrule_convert::convert(&manifest.value, rest);
        for policy in policies {
            let text = |pointer| policy.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let name = format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"));
            if names.insert(name.clone()) {
                converted.policies.push(policy);
                continue;
            }
            let message = format!("another object came to a policy `{name}` before: rename one of both");
            let (object, field) = (manifest.identity.to_string(), "metadata.name".to_owned());
            notes.push(Note { severity: Severity::Error, object, field, place: None, message });
        }
        if notes.iter().any(|note| note.severity == Severity::Error) {
            converted.exit_code = converted.exit_code.max(INCOMPLETE);
        }
        converted.lines.extend(notes.into_iter().map(|note| self.line(manifest, note)));
    }

    fn line(&self, manifest: &Manifest, note: Note) -> Line {
        let Note { severity, object, field, place, mut message } = note;
        let mut at =
            if field.is_empty() { manifest.positions.object() } else { manifest.positions.find(&field) };
        if let Some(place) = place {
            match place::in_file(&self.text, at, place) {
                Some(mark) => at = mark,
                None => {
                    message =
                        format!("line {}, column {} of the template: {message}", place.line, place.column);
                }
            }
        }
        Line { file: self.name.clone(), at, severity, parts: [object, field, message] }
    }

    fn unreadable(&self, object: &str, fault: &Fault, converted: &mut Converted) {
        converted.exit_code = UNREADABLE;
        let parts = [object.to_owned(), fault.path.clone(), fault.message.clone()];
        converted.lines.push(Line {
            file: self.name.clone(),
            at: fault.at,
            severity: Severity::Error,
            parts,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> Converted {
        File { name: "a.yaml".to_owned(), text: text.to_owned() }.convert(Rest::Nothing, &mut BTreeSet::new())
    }

    const OPTION: &str = "apiVersion: gateway.solo.io/v1\nkind: RouteOption\nmetadata: {name: a, namespace: web}\nspec:\n  \
         targetRefs: [{kind: HTTPRoute, name: r}]\n  options:\n    transformations:\n      requestTransformation:\n        \
         transformationTemplate:\n          headers:\n            x-a:\n              text: ";

    #[test]
    fn a_note_names_file_line_column_object_and_field() {
        let field =
            "spec.options.transformations.requestTransformation.transformationTemplate.headers.x-a.text";
        for (scalar, line, column) in [
            ("a {{ 'x' }}", 12, 26),
            ("\"\\\"n\\\" {{ 'x' }}\"", 12, 31),
            ("|\n                first\n                {{ 'x' }}", 14, 20),
        ] {
            let found = converted(&format!("{OPTION}{scalar}\n"));
            let lines: Vec<String> = found.lines.iter().map(Line::to_string).collect();
            let expected = format!(
                "a.yaml:{line}:{column}: error: RouteOption web/a: {field}: an expression is missing before `'`: no Inja"
            );
            assert_eq!(lines.last(), Some(&expected), "{scalar}");
            assert_eq!((found.exit_code, found.policies.len()), (INCOMPLETE, 0));
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_from_what_cannot_be_converted() {
        let good = format!("{OPTION}\"{{{{ header(\\\"x\\\") }}}}\"\n          passthrough: {{}}\n");
        assert_eq!((converted(&good).exit_code, converted(&good).policies.len()), (0, 1));
        let broken = converted(&format!("{good}---\nkind: [\n"));
        assert_eq!((broken.exit_code, broken.policies.len()), (UNREADABLE, 1));
    }

    #[test]
    fn two_objects_that_come_to_one_name_are_told_apart() {
        let route = format!("{OPTION}a\n          passthrough: {{}}\n");
        let both = converted(&format!(
            "{route}---\n{}",
            route.replace("RouteOption", "VirtualHostOption").replace("HTTPRoute", "Gateway")
        ));
        assert_eq!((both.exit_code, both.policies.len()), (INCOMPLETE, 1));
        assert!(
            both.lines[0]
                .to_string()
                .contains("metadata.name: another object came to a policy `web/a` before")
        );
    }

    #[test]
    fn a_template_alone_is_converted() {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let code = convert_template("{{ upper(a/b) }}", true, &mut out, &mut notes).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(String::from_utf8(out).unwrap(), "{{ a.b | upper }}\n");
        assert!(String::from_utf8(notes).unwrap().starts_with("template:1:4: warning: "));
        assert_eq!(
            convert_template("{{", false, &mut Vec::new(), &mut Vec::new()).unwrap(),
            ExitCode::from(1)
        );
    }
}
