//! What the proxies of one replica make of the Gateways that they run, as replicas tell each other.
//!
//! Each replica serves some of the proxies; whoever writes status speaks for all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_translate::ObjectRef;
use serde::{Deserialize, Serialize};

/// Most bytes of a proxy's words that are told.
const LONGEST: usize = 400;
/// Most objects that are told to be refused: what more of them would say, these do.
const MOST: usize = 50;

/// What the proxies of a replica make of it all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Gateways with proxies at this replica.
    #[serde(default)]
    pub(crate) gateways: BTreeMap<Arc<str>, Taken>,
    /// Objects that a proxy refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Refused>,
}

/// What the proxies of a Gateway have taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The generation of the Gateway that all of them ran last; `None` before they have run any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ran: Option<i64>,
    /// What they refuse, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    group: String,
    kind: String,
    namespace: String,
    name: String,
    words: String,
}

impl Account {
    /// What there is to tell of Gateways, and of objects that are refused, with the proxies' words.
    pub(crate) fn new<'a>(
        gateways: BTreeMap<Arc<str>, Taken>,
        refused: impl Iterator<Item = (&'a ObjectRef, &'a str)>,
    ) -> Self {
        let refused = refused.take(MOST).map(|(object, words)| Refused {
            group: object.group.to_string(),
            kind: object.kind.to_string(),
            namespace: object.namespace.to_string(),
            name: object.name.to_string(),
            words: shortened(words),
        });
        let shorter = |taken: Taken| Taken { refused: taken.refused.as_deref().map(shortened), ..taken };
        let gateways = gateways.into_iter().map(|(gateway, taken)| (gateway, shorter(taken)));
        Self { gateways: gateways.collect(), refused: refused.collect() }
    }

    /// The objects that are refused, with the proxies' words.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (ObjectRef, &str)> {
        self.refused
            .iter()
            .map(|one| (ObjectRef::new(&one.group, &one.kind, &one.namespace, &one.name), one.words.as_str()))
    }
}

fn shortened(words: &str) -> String {
    let end = (0..=LONGEST.min(words.len())).rev().find(|at| words.is_char_boundary(*at));
    words[..end.unwrap_or_default()].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_as_it_was_written_and_is_no_longer_than_it_need_be() {
        let object = ObjectRef::new("g", "HTTPRoute", "d", "r");
        let words = "ä".repeat(LONGEST);
        let taken = Taken { ran: Some(3), refused: Some(words.clone()) };
        let many = std::iter::repeat_n((&object, words.as_str()), MOST * 2);
        let account = Account::new(BTreeMap::from([("d/g".into(), taken)]), many);
        let text = serde_json::to_string(&account).unwrap();
        assert!(text.len() < (MOST + 1) * (LONGEST + 100), "{}", text.len());
        assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), account);
        assert_eq!(account.refused().next().unwrap().0, object);
    }

    #[test]
    fn an_account_of_another_version_is_understood_as_far_as_it_can_be() {
        let account: Account =
            serde_json::from_str(r#"{"gateways": {"d/g": {"newer": 1}}, "x": []}"#).unwrap();
        assert_eq!(account.gateways["d/g"], Taken::default());
    }
}
