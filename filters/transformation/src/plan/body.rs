//! What becomes of the body.

use ferrule_kit::{ConfigError, Message};

use super::{MAX_ENTRIES, template, too_many};
use crate::config::{ParseAs, Transform};
use crate::merge::{Leaf, LeafValue, Merge};
use crate::template::Template;

/// How a new body is made.
#[derive(Debug)]
pub(crate) enum BodyPlan {
    Template(Template),
    Merge(Merge),
    Wrap {
        /// Whether what the request's target says is added.
        metadata: bool,
    },
}

/// How the body is read, and what takes its place.
pub(super) fn compile(
    at: &str,
    message: Message,
    written: &Transform,
    escapes: bool,
) -> Result<(ParseAs, Option<BodyPlan>), ConfigError> {
    let body = written.body.clone().unwrap_or_default();
    only_one(at, written, body.value.is_some())?;
    let merges = !written.merge_json.is_empty() || written.merge_extractors_to_body.is_some();
    if merges && body.parse_as == ParseAs::None {
        return Err(ConfigError::new(format!("{at}.body.parseAs"), "None leaves no JSON to merge into"));
    }
    if written.passthrough.is_some() || body.parse_as == ParseAs::None {
        // The template is compiled all the same, so that a mistake in it shows.
        body.value.map(|value| template(format!("{at}.body.value"), &value, escapes)).transpose()?;
        return Ok((ParseAs::None, None));
    }
    let parse_as = if merges { ParseAs::AsJson } else { body.parse_as };
    let plan = if merges {
        Some(BodyPlan::Merge(merge(at, written, escapes)?))
    } else if let Some(wrap) = written.header_body_transform {
        if wrap.add_request_metadata && message == Message::Response {
            let field = format!("{at}.headerBodyTransform.addRequestMetadata");
            return Err(ConfigError::new(field, "is for requests only"));
        }
        Some(BodyPlan::Wrap { metadata: wrap.add_request_metadata })
    } else {
        let value = body.value.map(|value| template(format!("{at}.body.value"), &value, escapes));
        value.transpose()?.map(BodyPlan::Template)
    };
    Ok((parse_as, plan))
}

/// Of what can become of a body, one thing at most.
fn only_one(at: &str, written: &Transform, has_value: bool) -> Result<(), ConfigError> {
    let wanted = [
        ("body.value", has_value),
        ("mergeJson", !written.merge_json.is_empty()),
        ("mergeExtractorsToBody", written.merge_extractors_to_body.is_some()),
        ("headerBodyTransform", written.header_body_transform.is_some()),
        ("passthrough", written.passthrough.is_some()),
    ];
    let mut given = wanted.iter().filter(|(_, given)| *given).map(|(field, _)| *field);
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            Err(ConfigError::new(format!("{at}.{second}"), format!("cannot be combined with {first}")))
        }
        _ => Ok(()),
    }
}

fn merge(at: &str, written: &Transform, escapes: bool) -> Result<Merge, ConfigError> {
    let (field, leaves) = match written.merge_extractors_to_body {
        Some(_) => {
            ("mergeExtractorsToBody", Ok(written.extractors.keys().map(|name| extraction(name)).collect()))
        }
        None => ("mergeJson", templates(&format!("{at}.mergeJson"), written, escapes)),
    };
    Merge::new(leaves?)
        .map_err(|(path, reason)| ConfigError::new(format!("{at}.{field}"), format!("`{path}` {reason}")))
}

fn extraction(name: &str) -> Leaf {
    Leaf { path: name.to_owned(), value: LeafValue::Extraction(name.to_owned()) }
}

fn templates(at: &str, written: &Transform, escapes: bool) -> Result<Vec<Leaf>, ConfigError> {
    if written.merge_json.len() > MAX_ENTRIES {
        return Err(too_many(at));
    }
    let leaves = written.merge_json.iter().map(|(path, member)| {
        let template = template(format!("{at}.{path}.template"), &member.template, escapes)?;
        let value = LeafValue::Template { template, override_empty: member.override_empty };
        Ok(Leaf { path: path.clone(), value })
    });
    leaves.collect()
}
