//! Which namespaces are served: all, those of a list, or those with certain labels.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use ferrule_translate::api::meta::{LabelSelector, LabelSelectorRequirement};

/// What `--watch-namespaces` says: names separated by commas, or a label selector as kubectl takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Selection {
    #[default]
    All,
    Named(BTreeSet<String>),
    Labelled(LabelSelector),
}

impl Selection {
    /// Whether a namespace with these labels is served.
    pub(crate) fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(namespace),
            Self::Labelled(selector) => selector.selects(labels),
        }
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::All);
        }
        let terms: Vec<&str> = terms(text).into_iter().map(str::trim).collect();
        if terms.iter().all(|term| is_name(term)) {
            return Ok(Self::Named(terms.into_iter().map(str::to_owned).collect()));
        }
        let match_expressions = terms.into_iter().map(requirement).collect::<Result<_, _>>()?;
        Ok(Self::Labelled(LabelSelector { match_expressions, ..LabelSelector::default() }))
    }
}

/// Parts between commas that are not in parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .collect()
}

fn is_name(term: &str) -> bool {
    !term.is_empty() && term.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn requirement(term: &str) -> Result<LabelSelectorRequirement, String> {
    let (key, operator, values) = parse(term).ok_or_else(|| {
        format!("{term:?} is none of: key=value, key!=value, key in (a, b), key notin (a, b), !key, a name")
    })?;
    Ok(LabelSelectorRequirement { key: key.to_owned(), operator: operator.to_owned(), values })
}

fn parse(term: &str) -> Option<(&str, &'static str, Vec<String>)> {
    let one = |value: &str| vec![value.trim().trim_start_matches('=').to_owned()];
    let parsed = if let Some(key) = term.strip_prefix('!') {
        (key, "DoesNotExist", Vec::new())
    } else if let Some((key, value)) = term.split_once("!=") {
        (key, "NotIn", one(value))
    } else if let Some((key, value)) = term.split_once('=') {
        (key, "In", one(value))
    } else if let Some((key, values)) = term.split_once(" notin ") {
        (key, "NotIn", set(values)?)
    } else if let Some((key, values)) = term.split_once(" in ") {
        (key, "In", set(values)?)
    } else {
        (term, "Exists", Vec::new())
    };
    let key = parsed.0.trim();
    let is_key = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
    (is_key && !key.is_empty()).then_some((key, parsed.1, parsed.2))
}

fn set(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn namespaces_are_selected_by_name_or_label() {
        let selects = |text: &str, namespace: &str, of: &[(&str, &str)]| {
            text.parse::<Selection>().unwrap().selects(namespace, &labels(of))
        };
        assert!(selects("", "any", &[]));
        assert!(selects("a,b", "b", &[]) && !selects("a,b", "c", &[]));
        for text in
            ["env=dev", "env==dev", "env in (dev, test)", "env!=prod", "env notin (prod)", "env = dev"]
        {
            assert!(selects(text, "n", &[("env", "dev")]), "{text}");
            assert!(!selects(text, "n", &[("env", "prod")]), "{text}");
        }
        assert!(selects("team.example/x,env=dev", "n", &[("env", "dev"), ("team.example/x", "")]));
        assert!(!selects("team.example/x,env=dev", "n", &[("env", "dev")]));
        assert!(selects("!off,env in (dev)", "n", &[("env", "dev")]));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["a b=c", "x in dev", "=v", ","] {
            assert!(text.parse::<Selection>().is_err(), "{text}");
        }
    }
}
