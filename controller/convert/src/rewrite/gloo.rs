//! Functions that Gloo adds to Inja.

use super::Rewriter;
use super::code::{Code, Kind};
use super::expression::fixed_text;

/// What the proxies set and every template may read.
const OPEN_ENVIRONMENT: &[&str] = &["POD_NAME", "POD_NAMESPACE", "POD_IP", "NODE_NAME", "HOSTNAME"];

/// A function of Gloo.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// What it is called here.
    name: &'static str,
    arguments: std::ops::RangeInclusive<usize>,
    kind: Kind,
    /// In what case it differs.
    differs: Option<&'static str>,
}

/// The function that Gloo has under that name.
pub(super) fn find(name: &str) -> Option<Function> {
    const BYTES: &str = "`substring` counts bytes in Gloo and characters here, which differs beyond ASCII";
    const METADATA: &str = "metadata that is a whole number prints with `.0` in Gloo and without it here; a map is not read here";
    const LISTS: &str = "metadata that is a list is joined by commas in Gloo and printed as JSON here; a whole number prints with `.0` there";
    const WORDS: &str =
        "in a list or an object Gloo counts the words of all texts; here the items are counted";
    const RANDOM: &str =
        "for one pattern Gloo draws one value for all requests; here each request has a value of its own";
    let (name, arguments, kind, differs) = match name {
        "header" => ("header", 1..=1, Kind::Text, None),
        "request_header" => ("request_header", 1..=1, Kind::Text, None),
        "extraction" => ("extraction", 1..=1, Kind::Text, None),
        "body" => ("body", 0..=0, Kind::Text, None),
        "context" => ("context", 0..=0, Kind::Any, None),
        "env" => ("env", 1..=1, Kind::Text, None),
        "base64_encode" => ("base64_encode", 1..=1, Kind::Text, None),
        "base64_decode" => ("base64_decode", 1..=1, Kind::Text, None),
        "base64url_encode" => ("base64url_encode", 1..=1, Kind::Text, None),
        "base64url_decode" => ("base64url_decode", 1..=1, Kind::Text, None),
        "substring" => ("substring", 2..=3, Kind::Text, Some(BYTES)),
        "trim" => ("trim", 1..=1, Kind::Text, None),
        "replace_with_random" => ("replace_with_random", 2..=2, Kind::Text, Some(RANDOM)),
        "replace_with_string" => ("replace_with_string", 3..=3, Kind::Text, None),
        "raw_string" => ("raw_string", 1..=1, Kind::Text, None),
        "word_count" => ("word_count", 1..=1, Kind::Count, Some(WORDS)),
        "data_source" => ("data_source", 1..=1, Kind::Text, None),
        "clusterMetadata" => ("cluster_metadata", 1..=1, Kind::Any, Some(LISTS)),
        "cluster_metadata" => ("cluster_metadata", 1..=2, Kind::Any, Some(METADATA)),
        "dynamic_metadata" => ("dynamic_metadata", 1..=2, Kind::Any, Some(METADATA)),
        "host_metadata" => ("host_metadata", 1..=2, Kind::Any, Some(METADATA)),
        _ => return None,
    };
    Some(Function { name, arguments, kind, differs })
}

impl Rewriter<'_> {
    pub(super) fn call_gloo(&mut self, at: usize, name: &str, values: &[Code]) -> Option<Code> {
        let function = find(name).filter(|function| function.arguments.contains(&values.len()))?;
        let of_text = name == "word_count" && values.first().is_some_and(|value| value.kind == Kind::Text);
        if let Some(differs) = function.differs.filter(|_| !of_text) {
            self.warn_once(at, differs);
        }
        match name {
            "env" => self.check_environment(at, values.first()),
            "context" => self.context(at),
            "data_source" => self.warn_once(at, "name the text of each `data_source` in `dataSources`"),
            _ => {}
        }
        let arguments: Vec<&str> = values.iter().map(|value| &*value.text).collect();
        Some(Code::atom(format!("{}({})", function.name, arguments.join(", ")), function.kind))
    }

    fn check_environment(&mut self, at: usize, name: Option<&Code>) {
        let name = name.and_then(fixed_text);
        if !name.is_some_and(|name| OPEN_ENVIRONMENT.contains(&name)) {
            self.warn_once(
                at,
                "`env` shows nothing but POD_NAME, POD_NAMESPACE, POD_IP, NODE_NAME, HOSTNAME and what the operator names \
                 in FERRULE_ENV_ALLOW",
            );
        }
    }

    fn context(&mut self, at: usize) {
        self.reads_json = true;
        if !self.surroundings.extractors.is_empty() {
            self.warn_once(
                at,
                "Gloo's `context()` also has what extractors found; here it is the body alone",
            );
        }
        if !self.surroundings.json {
            self.warn_once(
                at,
                "the body is not read as JSON, so `context()` is null in Gloo and nothing here",
            );
        }
    }
}
