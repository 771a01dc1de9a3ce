//! Path modifiers of redirects and rewrites.

use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};

use super::{header, matching};
use crate::api::http_route::{HTTPPathModifier, HTTPRouteMatch};
use crate::hostname;

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
            Some(path) => checked(path).map(|path| PathRewrite::Full(path.to_owned())),
            None => Err("replaceFullPath is missing".to_owned()),
        },
        "ReplacePrefixMatch" => match &modifier.replace_prefix_match {
            Some(replacement) => replace_prefix(checked(replacement)?, matched),
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
        (prefix, "") => PathRewrite::Regex(RegexMatchAndSubstitute {
            pattern: Some(matching::regex(&format!("^{}/*", regex_syntax::escape(prefix)))?),
            substitution: "/".to_owned(),
        }),
        (_, replacement) => PathRewrite::Prefix(replacement.to_owned()),
    })
}

/// A host name without wildcard (PreciseHostname).
pub(crate) fn precise_host(host: &str) -> Result<String, String> {
    let fault = if host.starts_with('*') { Some("must not be a wildcard") } else { hostname::fault(host) };
    fault.map_or_else(|| Ok(host.to_ascii_lowercase()), |why| Err(why.to_owned()))
}

fn checked(path: &str) -> Result<&str, String> {
    match header::unprintable(path) {
        None if path.len() <= 1024 => Ok(path),
        None => Err("is longer than 1024 characters".to_owned()),
        Some(why) => Err(why),
    }
}

/// Replaces the whole path, which is all but the query.
pub(crate) fn full(path: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(RegexMatcher { regex: "^.*$".to_owned(), ..RegexMatcher::default() }),
        // RE2 reads \1 as a group.
        substitution: path.replace('\\', r"\\"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::http_route::HTTPPathMatch;

    fn replaced(prefix: &str, by: &str) -> PathRewrite {
        let path = HTTPPathMatch { kind: None, value: Some(prefix.to_owned()) };
        replace_prefix(by, &HTTPRouteMatch { path: Some(path), ..HTTPRouteMatch::default() }).unwrap()
    }

    #[test]
    fn slashes_at_the_end_of_either_prefix_do_not_count() {
        for (prefix, by) in [("/foo", "/xyz"), ("/foo", "/xyz/"), ("/foo/", "/xyz"), ("/foo/", "/xyz/")] {
            assert_eq!(replaced(prefix, by), PathRewrite::Prefix("/xyz".to_owned()), "{prefix} {by}");
        }
        assert_eq!(replaced("/", "/xyz"), PathRewrite::Prefix("/xyz/".to_owned()));
    }

    #[test]
    fn a_prefix_replaced_by_nothing_leaves_one_slash() {
        for by in ["", "/"] {
            let PathRewrite::Regex(regex) = replaced("/foo.x", by) else { panic!("no regular expression") };
            assert_eq!(
                (regex.pattern.unwrap().regex.as_str(), regex.substitution.as_str()),
                (r"^/foo\.x/*", "/")
            );
        }
    }

    #[test]
    fn backslashes_are_no_groups() {
        assert_eq!(full(r"/a\1").substitution, r"/a\\1");
    }

    #[test]
    fn only_prefixes_can_be_replaced() {
        let path = HTTPPathMatch { kind: Some("Exact".to_owned()), value: Some("/a".to_owned()) };
        assert!(
            replace_prefix("/b", &HTTPRouteMatch { path: Some(path), ..HTTPRouteMatch::default() }).is_err()
        );
    }
}
