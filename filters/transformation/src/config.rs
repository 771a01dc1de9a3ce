//! Configuration as written: kgateway's `TrafficPolicy.spec.transformation` and, marked *ours*, what Gloo's filter had besides.
//!
//! Invariants:
//! - Strict: an unknown field is an error.
//! - The limits are those of the custom resource: 16 entries a list, names unique within a list.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What to do with the messages of an exchange; a message without a transform passes untouched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For the request.
    #[serde(default)]
    pub request: Option<Transform>,
    /// For the response, be it the upstream's or Envoy's own.
    #[serde(default)]
    pub response: Option<Transform>,
    /// Ours: when the exchange is over, for access logs.
    #[serde(default, rename = "onStreamComplete")]
    pub on_stream_complete: Option<StreamComplete>,
    /// Ours: what happens to messages of this configuration is counted and measured under this prefix, too.
    #[serde(default, rename = "statPrefix")]
    pub stat_prefix: Option<String>,
    /// Ours: what `secret(name)` reads.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
    /// Ours: what `data_source(name)` reads.
    #[serde(default, rename = "dataSources")]
    pub data_sources: BTreeMap<String, DataSource>,
}

/// What to do with one message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Header fields to replace, in this order.
    #[serde(default)]
    pub set: Vec<HeaderTransformation>,
    /// Header fields to append, in this order.
    #[serde(default)]
    pub add: Vec<HeaderTransformation>,
    /// Names of header fields to remove.
    #[serde(default)]
    pub remove: Vec<String>,
    /// How to read the body, and what to put in its place.
    #[serde(default)]
    pub body: Option<BodyTransformation>,
    /// Dynamic metadata to set, for later filters and access logs.
    #[serde(default, rename = "dynamicMetadata")]
    pub dynamic_metadata: Vec<MetadataTransformation>,
    /// Ours: parts of headers and of the body, which `extraction(name)` reads.
    #[serde(default)]
    pub extractors: BTreeMap<String, Extractor>,
    /// Ours: members of the JSON body to set, by their path: names joined by dots. All other bytes stay.
    #[serde(default, rename = "mergeJson")]
    pub merge_json: BTreeMap<String, MergeJson>,
    /// Ours: puts what each extractor finds into the JSON body, at the path that its name is.
    #[serde(default, rename = "mergeExtractorsToBody")]
    pub merge_extractors_to_body: Option<Switch>,
    /// Ours: the body is neither read nor held nor replaced.
    #[serde(default)]
    pub passthrough: Option<Switch>,
    /// Ours: the new body is a JSON document of the headers and the body.
    #[serde(default, rename = "headerBodyTransform")]
    pub header_body_transform: Option<HeaderBodyTransform>,
    /// Ours: a body that is no JSON has no members, and is no error.
    #[serde(default, rename = "ignoreErrorOnParse")]
    pub ignore_error_on_parse: bool,
    /// Ours: texts print as they stand between the quotes of a JSON string.
    #[serde(default, rename = "escapeCharacters")]
    pub escape_characters: bool,
    /// Ours: template of the name of the active span.
    #[serde(default, rename = "spanName")]
    pub span_name: Option<String>,
    /// Ours: what becomes of a message that cannot be transformed.
    #[serde(default, rename = "errorMode")]
    pub error_mode: ErrorMode,
    /// Ours: selects the route anew, from the headers as they are after the transform. Requests only.
    #[serde(default, rename = "clearRouteCache")]
    pub clear_route_cache: bool,
    /// Ours: other transforms for some messages. The first whose match holds takes the place of all fields beside this one.
    #[serde(default)]
    pub matches: Vec<MatchedTransform>,
}

/// One header field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderTransformation {
    /// Field name in any case, or one of `:method`, `:path`, `:authority` (requests) and `:status` (responses).
    pub name: String,
    /// Template of the value. None, or one that renders to nothing, removes the field.
    #[serde(default)]
    pub value: Option<String>,
}

/// The body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyTransformation {
    /// What templates may know of the body.
    #[serde(default, rename = "parseAs")]
    pub parse_as: ParseAs,
    /// Template of the new body. None leaves the body as it is.
    #[serde(default)]
    pub value: Option<String>,
    /// Ours: asks the controller to have Envoy decompress responses before this filter, which undoes no content-encoding itself.
    #[serde(default)]
    pub decompress: bool,
}

/// What templates may know of the body.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ParseAs {
    /// Its text, by `body()`.
    #[default]
    AsString,
    /// Its text and, by name, the members of its JSON object.
    AsJson,
    /// Nothing; the body is neither held nor replaced.
    None,
}

/// One entry of dynamic metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataTransformation {
    /// Namespace, mostly a filter's name in reverse-domain form.
    pub namespace: String,
    /// Key within the namespace.
    pub key: String,
    /// The value.
    pub value: MetadataValue,
}

/// Exactly one kind of value must be given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataValue {
    /// Template of a string.
    #[serde(default, rename = "stringValue")]
    pub string_value: Option<String>,
    /// Ours: template of a JSON text, whose types are kept. What renders to nothing, or to null, sets nothing.
    #[serde(default, rename = "jsonValue")]
    pub json_value: Option<String>,
}

/// Nothing to say but that it is wanted: `{}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Switch {}

/// A part of a header or of the body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extractor {
    /// Name of the header whose first value is searched; either this or `body`.
    #[serde(default)]
    pub header: Option<String>,
    /// The body is searched.
    #[serde(default)]
    pub body: Option<Switch>,
    /// Regular expression in RE2's syntax; it takes time in proportion to the text, whatever it is.
    pub regex: String,
    /// Which group is meant; 0 is the whole match.
    #[serde(default)]
    pub subgroup: Option<usize>,
    /// What is made of the text.
    #[serde(default)]
    pub mode: ExtractorMode,
    /// What matches are replaced by.
    #[serde(default, rename = "replacementText")]
    pub replacement_text: Option<String>,
}

/// What an extractor makes of its text.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ExtractorMode {
    /// The group, if the expression matches the whole text; else nothing.
    #[default]
    Extract,
    /// The text with the group replaced, literally, if the expression matches the whole text; else the text.
    SingleReplace,
    /// The text with every match replaced, in which `$1`, `$&` and `$$` stand for a group, the match and a dollar sign.
    ReplaceAll,
}

/// One member of a JSON body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeJson {
    /// Template of the value: JSON, or else a text that becomes a JSON string. What renders to nothing leaves the member as it is.
    pub template: String,
    /// What renders to nothing makes the member an empty string.
    #[serde(default, rename = "overrideEmpty")]
    pub override_empty: bool,
}

/// `{"headers": {…}, "body": "…"}`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderBodyTransform {
    /// Adds method, path, query and repeated headers. Requests only.
    #[serde(default, rename = "addRequestMetadata")]
    pub add_request_metadata: bool,
}

/// What becomes of a message that cannot be transformed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ErrorMode {
    /// A 400 takes its place.
    #[default]
    Reject,
    /// It goes on untouched.
    Skip,
}

/// A transform for some messages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchedTransform {
    /// For which messages. Without conditions: for all.
    #[serde(default, rename = "match")]
    pub matcher: Match,
    /// What to do with them; it has no `matches` of its own.
    pub transform: Transform,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Of the request's path, without its query.
    #[serde(default)]
    pub path: Option<PathMatch>,
    /// The request's method.
    #[serde(default)]
    pub method: Option<String>,
    /// Of the headers of the message that is transformed.
    #[serde(default)]
    pub headers: Vec<NamedMatch>,
    /// Of the request's query.
    #[serde(default, rename = "queryParams")]
    pub query_params: Vec<NamedMatch>,
    /// One of these statuses: `404`, `5xx` or `400-499`. Responses only.
    #[serde(default)]
    pub status: Vec<String>,
    /// Of Envoy's details of its response code. Responses only.
    #[serde(default, rename = "responseCodeDetails")]
    pub response_code_details: Option<TextMatch>,
}

/// A condition of a path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathMatch {
    /// How `value` is meant.
    #[serde(default, rename = "type")]
    pub kind: PathMatchKind,
    /// Path, prefix or expression.
    pub value: String,
}

/// As in the Gateway API.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum PathMatchKind {
    /// The path is this.
    Exact,
    /// The path's first elements are these.
    #[default]
    PathPrefix,
    /// The expression matches the whole path.
    RegularExpression,
}

/// A condition of a text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextMatch {
    /// How `value` is meant.
    #[serde(default, rename = "type")]
    pub kind: MatchKind,
    /// Text or expression.
    pub value: String,
}

/// A condition of something that has a name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedMatch {
    /// How `value` is meant.
    #[serde(default, rename = "type")]
    pub kind: MatchKind,
    /// Name.
    pub name: String,
    /// Text or expression.
    pub value: String,
}

/// As in the Gateway API.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum MatchKind {
    /// The text is this.
    #[default]
    Exact,
    /// The expression matches the whole text.
    RegularExpression,
}

/// When the exchange is over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamComplete {
    /// Dynamic metadata to set, for access logs.
    #[serde(default, rename = "dynamicMetadata")]
    pub dynamic_metadata: Vec<MetadataTransformation>,
}

/// A secret, which comes by Envoy's secret discovery service (SDS).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Its name there; that of the entry unless given.
    #[serde(default, rename = "sdsName")]
    pub sds_name: Option<String>,
    /// An `envoy.config.core.v3.ConfigSource`; none for a static secret of the bootstrap. Read in a listener's configuration only.
    #[serde(default, rename = "sdsConfig")]
    pub sds_config: Option<serde_json::Value>,
}

/// A text that templates may read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The text.
    pub inline: String,
}
