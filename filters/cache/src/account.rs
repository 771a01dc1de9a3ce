//! What became of a request, for access logs: dynamic metadata in a namespace of the cache's own, where the configuration asks for it.

use ferrule_kit::{Host, Value};

use crate::asked::Asked;
use crate::policy::cache_status::word;
use crate::reason::Bypass;
use crate::{Cache, Stream};

/// The namespace.
const NAMESPACE: &str = "ferrule.cache";

/// What is remembered for it, besides Cache-Status.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    /// Why the request was none of the cache's.
    pub(crate) bypass: Option<Bypass>,
    /// Age of the stored response that answered, seconds.
    pub(crate) age: Option<u32>,
    /// It was stale.
    pub(crate) stale: bool,
    /// The origin has confirmed it.
    pub(crate) validated: bool,
}

impl Cache {
    /// Writes what is known once the stream is over.
    pub(crate) fn account(&self, stream: &Stream, host: &mut dyn Host) {
        let Some(asked) = stream.asked.as_deref().filter(|_| self.observes) else { return };
        let mut set = |key: &str, value: Value<'_>| host.set_metadata(NAMESPACE, key, &value);
        set("result", result(asked).into());
        if let Some(reason) = reason(asked) {
            set("reason", reason.into());
        }
        if let Some(age) = asked.account.age {
            set("age", Value::Number(age.into()));
        }
        if let Some(ttl) = asked.status.ttl {
            set("ttl", Value::Number(ttl as f64));
        }
        if !asked.key.is_empty() {
            set("key", Value::Text(asked.key.escape_ascii().to_string().into_bytes().into()));
        }
        if let Some(name) = self.storage_name.as_deref() {
            set("storage", name.into());
        }
    }
}

fn result(asked: &Asked) -> &'static str {
    match asked.account {
        _ if asked.status.collapsed => "collapsed",
        Account { bypass: Some(_), .. } => "bypass",
        Account { validated: true, .. } => "validated",
        Account { stale: true, .. } => "stale",
        Account { age: Some(_), .. } => "hit",
        Account { age: None, .. } => "miss",
    }
}

/// Why it is no hit.
fn reason(asked: &Asked) -> Option<&'static str> {
    let refused = || asked.request.directives.only_if_cached.then_some("only-if-cached");
    match (asked.account.bypass, asked.status.fwd) {
        (Some(bypass), _) => Some(bypass.word()),
        (None, Some(why)) => Some(word(why)),
        (None, None) if asked.status.hit || asked.status.collapsed => None,
        (None, None) => refused(),
    }
}
