//! `transformationTemplate` and its kin: one transform.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::extractor;
use super::fields::{Field, Fields, join};
use super::notes::Notes;
use crate::rewrite::{Notation, Rewritten, Surroundings, rewrite};

type Transform = Map<String, Value>;

/// Where Gloo puts metadata that names no namespace.
const DEFAULT_NAMESPACE: &str = "io.solo.transformation";

/// How Gloo takes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parsing {
    Json,
    /// As JSON if it is, else as no members at all.
    JsonIfItIs,
    None,
    Passthrough,
}

/// One transform that is being converted.
#[derive(Debug)]
struct Work<'n> {
    notes: &'n mut Notes,
    surroundings: Surroundings,
    reads_json: bool,
    transform: Transform,
}

/// A `transformationTemplate` in our words. `escapes`: what its stage says of `escapeCharacters`.
pub(super) fn transform(field: &Field<'_>, escapes: bool, notes: &mut Notes) -> Transform {
    let mut fields = Fields::of(field, notes);
    let advanced = fields.flag("advancedTemplates", notes);
    let extractors = fields.entries("extractors", notes);
    let parsing = parsing(&mut fields, notes);
    let names: BTreeSet<String> = extractors.iter().map(|(name, _)| (*name).to_owned()).collect();
    let surroundings = Surroundings {
        notation: if advanced { Notation::Pointer } else { Notation::Dot },
        json: matches!(parsing, Parsing::Json | Parsing::JsonIfItIs),
        extractors: if advanced { BTreeSet::new() } else { names },
        end_matters: false,
    };
    let converted: Transform = extractors
        .iter()
        .filter_map(|(name, field)| Some(((*name).to_owned(), extractor::convert(field, notes)?)))
        .collect();
    let mut work = Work { notes, surroundings, reads_json: false, transform: Transform::new() };
    if !converted.is_empty() {
        work.put("extractors", converted);
    }
    work.headers(&mut fields);
    work.metadata(&mut fields);
    work.span(&mut fields);
    work.body(&mut fields, parsing, advanced);
    if fields.optional_flag("escapeCharacters", work.notes).unwrap_or(escapes) {
        work.put("escapeCharacters", true);
    }
    fields.finish(work.notes);
    work.transform
}

fn parsing(fields: &mut Fields<'_>, notes: &mut Notes) -> Parsing {
    let ignores = fields.flag("ignoreErrorOnParse", notes);
    let passes = fields.get("passthrough").is_some();
    let behavior = fields.get("parseBodyBehavior");
    let parsed = match &behavior {
        Some(field) if field.value == "DontParse" || field.value == &json!(1) => false,
        Some(field) if field.value != "ParseAsJson" && field.value != &json!(0) => {
            notes.error(&field.path, "is neither ParseAsJson nor DontParse");
            true
        }
        _ => true,
    };
    match (passes, parsed, ignores) {
        (true, _, _) => Parsing::Passthrough,
        (false, false, _) => Parsing::None,
        (false, true, true) => Parsing::JsonIfItIs,
        (false, true, false) => Parsing::Json,
    }
}

/// `headerBodyTransform` in our words. To a response, Gloo adds nothing of the request, whatever it says.
pub(super) fn header_body(field: &Field<'_>, of_request: bool, notes: &mut Notes) -> Transform {
    let mut fields = Fields::of(field, notes);
    let adds = fields.flag("addRequestMetadata", notes) && of_request;
    fields.finish(notes);
    let wrapped = if adds { json!({"addRequestMetadata": true}) } else { json!({}) };
    Map::from_iter([("headerBodyTransform".to_owned(), wrapped)])
}

impl Work<'_> {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.transform.insert(name.to_owned(), value.into());
    }

    /// The template that `field` holds as `{text: …}`; none if it cannot be converted.
    fn template(&mut self, field: &Field<'_>, end_matters: bool) -> Option<String> {
        let mut fields = Fields::of(field, self.notes);
        let text = fields.text("text", self.notes).unwrap_or_default();
        fields.finish(self.notes);
        self.surroundings.end_matters = end_matters;
        let Rewritten { text, reads_json, remarks } = rewrite(text, &self.surroundings);
        let path = join(&field.path, "text");
        remarks.into_iter().for_each(|remark| self.notes.remark(&path, remark));
        self.reads_json |= reads_json;
        text
    }

    /// Gloo sets, removes, appends; here what is set and added is removed last.
    fn headers(&mut self, fields: &mut Fields<'_>) {
        let appended = self.appended(fields);
        let removed = self.removed(fields);
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let is_removed = |name: &str| removed.iter().any(|removed| same(removed, name));
        let mut set = Vec::new();
        for (name, field) in fields.entries("headers", self.notes) {
            let template = self.template(&field, false);
            if let Some(template) = template.filter(|_| !is_removed(name)) {
                set.push(named_value(name, template));
            }
        }
        let mut add = Vec::new();
        let mut kept = removed.clone();
        for (name, template) in appended {
            if is_removed(&name) {
                kept.retain(|removed| !same(removed, &name));
                set.push(named_value(&name, template));
            } else {
                add.push(named_value(&name, template));
            }
        }
        for (name, list) in
            [("set", set), ("add", add), ("remove", kept.into_iter().map(Value::from).collect())]
        {
            if !list.is_empty() {
                self.put(name, list);
            }
        }
    }

    fn appended(&mut self, fields: &mut Fields<'_>) -> Vec<(String, String)> {
        let mut appended: Vec<(String, String)> = Vec::new();
        for field in fields.items("headersToAppend", self.notes) {
            let mut entry = Fields::of(&field, self.notes);
            let name = entry.text("key", self.notes).unwrap_or_default();
            let template = entry.get("value").and_then(|value| self.template(&value, false));
            entry.finish(self.notes);
            if appended.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                let message =
                    format!("`{name}` is appended twice, which a policy cannot: join both values in one");
                self.notes.error(&join(&field.path, "key"), message);
            } else {
                appended.extend(template.map(|template| (name.to_owned(), template)));
            }
        }
        appended
    }

    fn removed(&mut self, fields: &mut Fields<'_>) -> Vec<String> {
        let mut removed: Vec<String> = Vec::new();
        for field in fields.items("headersToRemove", self.notes) {
            match field.value.as_str() {
                Some(name) => removed.push(name.to_owned()),
                None => self.notes.error(&field.path, "is no string"),
            }
        }
        removed
    }

    fn body(&mut self, fields: &mut Fields<'_>, parsing: Parsing, advanced: bool) {
        let body = fields.get("body");
        let value = body.as_ref().and_then(|body| self.template(body, true));
        let merges_extractors = fields.get("mergeExtractorsToBody");
        self.merge_json(fields, parsing);
        if parsing == Parsing::Passthrough {
            if let Some(body) = &body {
                self.notes.error(
                    &body.path,
                    "stands beside `passthrough`, which leaves the body alone: drop one of both",
                );
            }
            return self.put("passthrough", json!({}));
        }
        match merges_extractors {
            Some(field) if advanced => self.notes.warn(
                &field.path,
                "does nothing beside `advancedTemplates` in Gloo but write the JSON body anew, and is left out",
            ),
            Some(_) => {
                self.reads_json = true;
                self.put("mergeExtractorsToBody", json!({}));
            }
            None => {}
        }
        self.body_transformation(&fields.path, parsing, value);
    }

    /// `body`, with what templates may know of it.
    fn body_transformation(&mut self, path: &str, parsing: Parsing, value: Option<String>) {
        let parses = matches!(parsing, Parsing::Json | Parsing::JsonIfItIs);
        if parses && (self.reads_json || value.is_some()) {
            let mut body = json!({"parseAs": "AsJson"});
            if let (Some(members), Some(value)) = (body.as_object_mut(), value) {
                members.insert("value".to_owned(), value.into());
            }
            self.put("body", body);
            if parsing == Parsing::JsonIfItIs {
                self.put("ignoreErrorOnParse", true);
            }
            return;
        }
        if parsing == Parsing::Json {
            self.notes.warn(
                path,
                "reads the body as JSON without need (parseBodyBehavior), so that Gloo refuses messages with another body; \
                 here no template reads the body, and it passes",
            );
        }
        if let Some(value) = value {
            self.put("body", json!({"value": value}));
        }
    }

    fn merge_json(&mut self, fields: &mut Fields<'_>, parsing: Parsing) {
        let Some(mut merge) = fields.object("mergeJsonKeys", self.notes) else { return };
        if matches!(parsing, Parsing::None | Parsing::Passthrough) {
            self.notes
                .error(&merge.path, "needs a body that is read as JSON (parseBodyBehavior, passthrough)");
        }
        let mut members = Map::new();
        for (path, field) in merge.entries("jsonKeys", self.notes) {
            let mut entry = Fields::of(&field, self.notes);
            let template = entry.get("tmpl").and_then(|template| self.template(&template, true));
            let overrides = entry.flag("overrideEmpty", self.notes);
            entry.finish(self.notes);
            let Some(template) = template else { continue };
            let mut member = Map::from_iter([("template".to_owned(), Value::from(template))]);
            if overrides {
                member.insert("overrideEmpty".to_owned(), true.into());
            }
            members.insert(path.to_owned(), member.into());
        }
        merge.finish(self.notes);
        self.reads_json = true;
        self.put("mergeJson", members);
    }

    fn metadata(&mut self, fields: &mut Fields<'_>) {
        let mut entries = Vec::new();
        for field in fields.items("dynamicMetadataValues", self.notes) {
            let mut entry = Fields::of(&field, self.notes);
            let namespace =
                entry.text("metadataNamespace", self.notes).filter(|namespace| !namespace.is_empty());
            let key = entry.text("key", self.notes).unwrap_or_default();
            let template = entry.get("value").and_then(|value| self.template(&value, true));
            let kind = if entry.flag("jsonToProto", self.notes) { "jsonValue" } else { "stringValue" };
            entry.finish(self.notes);
            if kind == "jsonValue" {
                self.notes.warn(
                    &join(&field.path, "jsonToProto"),
                    "an object becomes a key for each of its members (`key.member`), and what renders to no JSON is refused, \
                     where Gloo takes it for a text",
                );
            }
            if let Some(template) = template {
                entries.push(json!({
                    "namespace": namespace.unwrap_or(DEFAULT_NAMESPACE),
                    "key": key,
                    "value": {kind: template},
                }));
            }
        }
        if !entries.is_empty() {
            self.put("dynamicMetadata", entries);
        }
    }

    fn span(&mut self, fields: &mut Fields<'_>) {
        let Some(mut span) = fields.object("spanTransformer", self.notes) else { return };
        let name = span.get("name").and_then(|name| self.template(&name, false));
        span.finish(self.notes);
        if let Some(name) = name {
            self.put("spanName", name);
        }
    }
}

/// An empty template removes a field, as a missing one does.
fn named_value(name: &str, template: String) -> Value {
    if template.is_empty() { json!({"name": name}) } else { json!({"name": name, "value": template}) }
}
