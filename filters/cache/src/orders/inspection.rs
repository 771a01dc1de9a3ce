//! What is stored for a URL, and what a request would get of it and why.

use std::sync::Arc;

use ferrule_kit::ConfigError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::purge::uri;
use crate::Compiled;
use crate::policy::cache_status::CacheStatus;
use crate::policy::key::{key, partition_of, url_key};
use crate::policy::partial::Runs;
use crate::policy::request::Request;
use crate::policy::reuse::{Decision, Forward, Found, decide};
use crate::policy::time::Time;
use crate::policy::uri::Uri;
use crate::selecting::has_for;
use crate::store::{Lookup, Object};

/// A request that is not made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    /// Its URL, with scheme and host.
    pub url: String,
    /// Its method; `GET` if not given.
    #[serde(default = "get")]
    pub method: String,
    /// Its other fields.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

fn get() -> String {
    "GET".to_owned()
}

/// Responses that one cache tells of, and bytes of a text that it tells.
const MOST: usize = 32;
const LONGEST: usize = 256;

impl Inspect {
    pub(super) fn check(&self, field: &str) -> Result<(), ConfigError> {
        uri(&format!("{field}.url"), &self.url).map(drop)
    }

    /// What each cache says of it.
    pub(super) fn carry_out(&self, live: &[Arc<Compiled>], now: Time) -> Vec<Value> {
        let Some(uri) = Uri::parse(&self.url) else { return Vec::new() };
        let fields: Vec<(String, Vec<u8>)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes()))
            .collect();
        live.iter().filter_map(|compiled| self.of_cache(compiled, &uri, &fields, now)).collect()
    }

    /// None of a partition that holds nothing of the URL: it may be one of requests that are for other URLs.
    fn of_cache(
        &self,
        compiled: &Compiled,
        uri: &Uri,
        fields: &[(String, Vec<u8>)],
        now: Time,
    ) -> Option<Value> {
        let request_key = key(uri, fields, &compiled.key_rules);
        let lookup =
            compiled.storage.store.find(&request_key, |object| compiled.selects(&object.head(), fields));
        let selected = match &lookup {
            Lookup::Found(object) => Some(object),
            Lookup::Nothing | Lookup::Others => None,
        };
        let url = url_key(uri, &compiled.key_rules);
        let mut all = compiled.storage.store.of_url(&url);
        let partition = compiled.key_rules.partition.as_deref();
        all.retain(|object| partition_of(object.key(), &url) == partition.map(str::as_bytes));
        if all.is_empty() && partition.is_some() {
            return None;
        }
        let is_selected = |object: &Arc<Object>| selected.is_some_and(|one| Arc::ptr_eq(one, object));
        let stored: Vec<Value> =
            all.iter().take(MOST).map(|object| told(object, is_selected(object), now)).collect();
        Some(json!({
            "storage": compiled.storage_name,
            "name": compiled.name,
            "key": text(&request_key),
            "stored": stored,
            "unlisted": all.len().saturating_sub(MOST),
            "request": self.of_request(compiled, uri, fields, &lookup, now),
        }))
    }

    /// What the request would get.
    fn of_request(
        &self,
        compiled: &Compiled,
        uri: &Uri,
        fields: &[(String, Vec<u8>)],
        lookup: &Lookup,
        now: Time,
    ) -> Value {
        let method = self.method.as_bytes();
        let request = Request::read(method, fields, &compiled.rules);
        let decision = if compiled.bypasses(method, uri.path.as_bytes(), fields) {
            Decision::Forward(Forward::Bypass)
        } else {
            let found = match lookup {
                Lookup::Nothing => Found::Nothing,
                Lookup::Others => Found::OtherVariants,
                Lookup::Found(object) => {
                    let lacks = !has_for(object, request.method, fields);
                    Found::Response { stored: object.stored(), purged: object.is_purged(), lacks }
                }
            };
            decide(&request, found, now)
        };
        let ttl = match lookup {
            Lookup::Found(object) => Some(object.stored().ttl(now)),
            Lookup::Nothing | Lookup::Others => None,
        };
        let status = CacheStatus {
            hit: matches!(decision, Decision::Serve { .. }),
            fwd: forward(decision),
            ttl: ttl.filter(|_| matches!(decision, Decision::Serve { .. })),
            ..CacheStatus::default()
        };
        json!({"outcome": outcome(decision), "why": why(decision), "cacheStatus": status.member(&compiled.name)})
    }
}

fn forward(decision: Decision) -> Option<Forward> {
    match decision {
        Decision::Validate(why) | Decision::Forward(why) => Some(why),
        Decision::Serve { .. } | Decision::GatewayTimeout => None,
    }
}

fn outcome(decision: Decision) -> &'static str {
    match decision {
        Decision::Serve { stale: false, .. } => "hit",
        Decision::Serve { stale: true, .. } => "stale",
        Decision::Validate(_) => "validate",
        Decision::Forward(_) => "forward",
        Decision::GatewayTimeout => "504",
    }
}

fn why(decision: Decision) -> &'static str {
    match decision {
        Decision::Serve { stale: false, .. } => "what is stored is fresh",
        Decision::Serve { refresh: true, .. } => "stale, but may be served while it is validated",
        Decision::Serve { .. } => "stale, but the request accepts that",
        Decision::Validate(Forward::Request) => "the request does not want what is stored as it is",
        Decision::Validate(_) => "what is stored is stale, purged softly, or never used unvalidated",
        Decision::Forward(Forward::Bypass) => "the policy has such requests pass by",
        Decision::Forward(Forward::Method) => "its method is not answered from a cache",
        Decision::Forward(Forward::UriMiss) => "nothing is stored under its key",
        Decision::Forward(Forward::VaryMiss) => "what is stored is for requests with other fields (Vary)",
        Decision::Forward(Forward::Partial) => "a part is stored, which lacks what the request needs",
        Decision::Forward(_) => "the request is for the origin alone",
        Decision::GatewayTimeout => "the request wants what is stored or nothing (only-if-cached)",
    }
}

/// A stored response.
fn told(object: &Object, is_selected: bool, now: Time) -> Value {
    let (stored, head) = (object.stored(), object.head());
    let selectors: Map<String, Value> =
        head.selectors().map(|(name, value)| (name.to_owned(), value.map(text).into())).collect();
    let tags: Vec<String> = head.tags().take(MOST).map(text).collect();
    json!({
        "selected": is_selected,
        "key": text(object.key()),
        "selectedBy": selectors,
        "status": stored.status,
        "bodyBytes": object.body().complete(),
        "parts": object.body().runs().map(Runs::list),
        "ageSeconds": stored.age(now),
        "ttlSeconds": stored.ttl(now),
        "staleWhileRevalidateSeconds": stored.stale_while_revalidate,
        "staleIfErrorSeconds": stored.stale_if_error,
        "mustValidate": stored.no_cache,
        "neverStale": stored.must_revalidate,
        "purged": object.is_purged(),
        "etag": head.line("etag").map(text),
        "contentType": head.line("content-type").map(text),
        "tags": tags,
    })
}

/// As people read it; the parts of a key are NULs apart.
fn text(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(LONGEST)];
    let text = String::from_utf8_lossy(cut).replace('\0', " ");
    if bytes.len() > LONGEST { format!("{text}...") } else { text }
}
