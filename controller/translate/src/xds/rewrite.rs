//! Path modifiers of redirects and rewrites.

use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};

use crate::api::http_route::{HTTPPathModifier, HTTPRouteMatch};

/// A new path in Envoy's form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PathRewrite {
    /// The whole path.
    Full(String),
    /// Puts this in the place of the matched prefix.
    Prefix(String),
    /// Where a plain prefix would leave two slashes or none.
    Regex(RegexMatchAndSubstitute),
}

/// `ReplacePrefixMatch` follows the table of HTTPPathModifier: slashes at the end of either prefix do not count.
pub(crate) fn lower(modifier: &HTTPPathModifier, matched: &HTTPRouteMatch) -> Result<PathRewrite, String> {
    match modifier.kind.as_str() {
        "ReplaceFullPath" => match &modifier.replace_full_path {
            Some(path) => Ok(PathRewrite::Full(path.clone())),
            None => Err("replaceFullPath is missing".to_owned()),
        },
        "ReplacePrefixMatch" => match &modifier.replace_prefix_match {
            Some(replacement) => replace_prefix(replacement, matched),
            None => Err("replacePrefixMatch is missing".to_owned()),
        },
        other => Err(format!("type {other} is unknown")),
    }
}

fn replace_prefix(replacement: &str, matched: &HTTPRouteMatch) -> Result<PathRewrite, String> {
    let path = matched.path.clone().unwrap_or_default();
    if path.kind.as_deref().unwrap_or("PathPrefix") != "PathPrefix" {
        return Err("ReplacePrefixMatch needs a match of type PathPrefix".to_owned());
    }
    let prefix = path.value.as_deref().unwrap_or("/").trim_end_matches('/');
    let replacement = replacement.trim_end_matches('/');
    Ok(match (prefix, replacement) {
        ("", replacement) => PathRewrite::Prefix(format!("{replacement}/")),
        (prefix, "") => PathRewrite::Regex(substitute(&format!("^{}/*", regex_syntax::escape(prefix)), "/")),
        (_, replacement) => PathRewrite::Prefix(replacement.to_owned()),
    })
}

/// Replaces the whole path, which is all but the query.
pub(crate) fn full(path: &str) -> RegexMatchAndSubstitute {
    substitute("^.*$", &path.replace('\\', "\\\\"))
}

fn substitute(pattern: &str, substitution: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(RegexMatcher { regex: pattern.to_owned(), ..RegexMatcher::default() }),
        substitution: substitution.to_owned(),
    }
}
