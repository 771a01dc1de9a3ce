//! What a rule asks of a message.

use serde_json::{Map, Value, json};

use super::fields::{Field, Fields, join};
use super::notes::Notes;

type Match = Map<String, Value>;

/// Messages that a rule is for.
#[derive(Clone, Debug)]
pub(super) enum Matches {
    All,
    /// Those that one of these matches.
    Any(Vec<Match>),
}

impl Default for Matches {
    fn default() -> Self {
        Self::all()
    }
}

impl Matches {
    pub(super) fn all() -> Self {
        Self::All
    }

    fn from(one: Match) -> Self {
        if one.is_empty() { Self::All } else { Self::Any(vec![one]) }
    }

    /// Those that both match. What responses are asked and what requests are asked does not overlap.
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, matches) | (matches, Self::All) => matches.clone(),
            (Self::Any(these), Self::Any(those)) => {
                let both = |one: &Match| {
                    let one = one.clone();
                    those.iter().map(move |other| one.clone().into_iter().chain(other.clone()).collect())
                };
                Self::Any(these.iter().flat_map(both).collect())
            }
        }
    }

    /// Whether a response can be asked the same: its header fields are not those of its request.
    pub(super) fn suit_responses(&self) -> bool {
        match self {
            Self::All => true,
            Self::Any(any) => !any.iter().any(|one| one.contains_key("headers")),
        }
    }
}

/// What a `matcher` asks of a request; none if that cannot be said.
pub(super) fn request(field: &Field<'_>, notes: &mut Notes) -> Option<Matches> {
    let before = notes.errors();
    let mut fields = Fields::of(field, notes);
    let mut one = Match::new();
    if let Some(path) = path(&mut fields, notes) {
        one.insert("path".to_owned(), path);
    }
    let headers = named_values(&mut fields, "headers", notes);
    let parameters = named_values(&mut fields, "queryParameters", notes);
    for (name, values) in [("headers", headers), ("queryParams", parameters)] {
        if !values.is_empty() {
            one.insert(name.to_owned(), values.into());
        }
    }
    let methods = fields.items("methods", notes);
    fields.finish(notes);
    if notes.errors() > before {
        return None;
    }
    if methods.is_empty() {
        return Some(Matches::from(one));
    }
    let with = |method: &Field<'_>| {
        let mut one = one.clone();
        one.insert("method".to_owned(), method.value.clone());
        one
    };
    Some(Matches::Any(methods.iter().map(with).collect()))
}

/// Gloo's prefixes may end within a segment of the path, so that only `/` is one of Gateway API's.
fn path(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<Value> {
    let insensitive = fields.get("caseSensitive").filter(|it| it.value == &Value::Bool(false));
    if let Some(field) = insensitive {
        notes.error(&field.path, "paths are matched by case: write a regex that starts with `(?i)`");
    }
    if let Some(exact) = fields.text("exact", notes) {
        return Some(json!({"type": "Exact", "value": exact}));
    }
    if let Some(field) = fields.get("regex") {
        let regex = field.value.as_str().unwrap_or_default();
        check_regex(&field.path, regex, notes);
        return Some(json!({"type": "RegularExpression", "value": regex}));
    }
    let prefix = fields.text("prefix", notes).filter(|prefix| *prefix != "/")?;
    Some(json!({"type": "RegularExpression", "value": format!("{}.*", regex_syntax::escape(prefix))}))
}

fn named_values(fields: &mut Fields<'_>, name: &str, notes: &mut Notes) -> Vec<Value> {
    fields.items(name, notes).iter().map(|field| named_value(field, notes)).collect()
}

/// A header field or parameter; without a value it must be there, whatever its value.
fn named_value(field: &Field<'_>, notes: &mut Notes) -> Value {
    let mut fields = Fields::of(field, notes);
    let name = fields.text("name", notes).unwrap_or_default();
    let value = fields.text("value", notes).filter(|value| !value.is_empty());
    let regex = fields.flag("regex", notes);
    if fields.flag("invertMatch", notes) {
        let message =
            "matches are not inverted: put a rule for what does match, which does nothing, before this one";
        notes.error(&join(&fields.path, "invertMatch"), message);
    }
    let path = join(&fields.path, "value");
    fields.finish(notes);
    match value {
        None => json!({"type": "RegularExpression", "name": name, "value": ".*"}),
        Some(value) if regex => {
            check_regex(&path, value, notes);
            json!({"type": "RegularExpression", "name": name, "value": value})
        }
        Some(value) => json!({"type": "Exact", "name": name, "value": value}),
    }
}

/// What `matchers` and `responseCodeDetails` ask of a response; none if that cannot be said.
pub(super) fn response(fields: &mut Fields<'_>, notes: &mut Notes) -> Option<Matches> {
    let before = notes.errors();
    let mut one = Match::new();
    let (mut headers, mut status) = (Vec::new(), Vec::new());
    for field in fields.items("matchers", notes) {
        match asked_status(&field) {
            Some(Ok(code)) => status.push(Value::from(code)),
            Some(Err(())) => {
                notes.error(&field.path, "write the status as `404`, or as a class such as `5xx`")
            }
            None => headers.push(named_value(&field, notes)),
        }
    }
    if status.len() > 1 {
        notes.error(&join(&fields.path, "matchers"), "a response has one status, so that this never matches");
    }
    for (name, values) in [("status", status), ("headers", headers)] {
        if !values.is_empty() {
            one.insert(name.to_owned(), values.into());
        }
    }
    if let Some(details) = fields.text("responseCodeDetails", notes).filter(|details| !details.is_empty()) {
        one.insert("responseCodeDetails".to_owned(), json!({"type": "Exact", "value": details}));
    }
    (notes.errors() == before).then(|| Matches::from(one))
}

/// The status, or class, that a match of `:status` asks for.
fn asked_status(field: &Field<'_>) -> Option<Result<String, ()>> {
    let text = |name: &str| field.value.get(name).and_then(Value::as_str);
    if text("name") != Some(":status") {
        return None;
    }
    let inverted = field.value.get("invertMatch").is_some_and(|it| it == &Value::Bool(true));
    let value = text("value").filter(|_| !inverted).unwrap_or_default();
    let is_code = value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_digit());
    let class = ["[0-9][0-9]", "[0-9]{2}", "\\d\\d", "\\d{2}", "..", ".*"]
        .iter()
        .find_map(|rest| value.strip_suffix(rest))
        .filter(|class| matches!(*class, "1" | "2" | "3" | "4" | "5"));
    Some(match class {
        _ if is_code => Ok(value.to_owned()),
        Some(class) => Ok(format!("{class}xx")),
        None => Err(()),
    })
}

/// Refuses what a linear-time engine cannot do.
pub(super) fn check_regex(path: &str, regex: &str, notes: &mut Notes) {
    if let Err(error) = regex_syntax::parse(regex) {
        let reason =
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        notes.error(path, format!("`{regex}` is no regular expression here: {reason}"));
    }
}
