//! `PURGE`: by URL, by prefix or by tag, soft or hard, for those whom the configuration lets.

use ferrule_kit::{Fields, Flow, Host, Response};

use crate::policy::cache_status::CacheStatus;
use crate::policy::field::{Section, members, words};
use crate::policy::key::url_key;
use crate::policy::uri::Uri;
use crate::store::Purge;
use crate::{Cache, Matcher, counters, section};

/// Says how: `soft` marks stale what it else removes, `prefix` takes the path for the beginning of paths.
const HOW: &str = "ferrule-purge";

impl Cache {
    pub(crate) fn on_purge(&self, host: &mut dyn Host, allowed: &[Matcher]) -> Flow {
        let path = host.field(Fields::RequestHeaders, ":path").unwrap_or_default();
        let request = section::request(host);
        if !allowed.iter().any(|matcher| matcher.holds(b"PURGE", &path, &request)) {
            let mut response = Response::text(403, "cache_purge_denied", "");
            response.fields.push(self.says_nothing());
            return Flow::Respond(response);
        }
        let how = request.combined(HOW).unwrap_or_default();
        let says = |word: &[u8]| members(&how).any(|member| member.eq_ignore_ascii_case(word));
        let purges = self.purges(host, says(b"prefix"));
        let count: usize = purges.iter().map(|purge| self.storage.purge(purge, says(b"soft"))).sum();
        host.count(counters::PURGED, count as u64);
        let fields = vec![("content-type".to_owned(), b"application/json".to_vec()), self.says_nothing()];
        let body = format!("{{\"purged\":{count}}}\n").into_bytes();
        Flow::Respond(Response { status: 200, fields, body, details: "cache_purged".into() })
    }

    /// Cache-Status of an answer that is the cache's own (RFC 9211 §2: a member says at least which cache).
    fn says_nothing(&self) -> (String, Vec<u8>) {
        ("cache-status".to_owned(), CacheStatus::default().member(&self.name).into_bytes())
    }

    /// Tags where the request has any, else its URL.
    fn purges(&self, host: &dyn Host, by_prefix: bool) -> Vec<Purge> {
        let request = section::request(host);
        let values: Vec<_> = self.tag_names.iter().filter_map(|name| request.combined(name)).collect();
        let words = values.iter().flat_map(|value| words(value));
        let tags: Vec<Purge> = words.map(|word| Purge::Tag(word.to_vec())).collect();
        if !tags.is_empty() {
            return tags;
        }
        let field = |name| host.field(Fields::RequestHeaders, name).unwrap_or_default();
        let scheme = String::from_utf8_lossy(&field(":scheme")).into_owned();
        let uri = Uri::new(&scheme, &field(":authority"), &field(":path"));
        let key = url_key(&uri, &self.key_rules);
        vec![if by_prefix { Purge::Prefix(key) } else { Purge::Url(key) }]
    }
}
