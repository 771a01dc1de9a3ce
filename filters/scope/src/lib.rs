//! Chooses the route table of a request by its host, where each host has a table of its own (Envoy's scoped routes).
//!
//! Envoy finds a scope by a header that equals the scope's key, and by nothing else. [`ScopeKey`] sets that header before
//! Envoy looks: to the key of the most specific host name that has a table, be it the host itself, a wildcard above it or
//! the one for every host.
//!
//! Invariants:
//! - What tables there are is told by the tables: each carries a configuration of [`Scope`], which is made when the table
//!   has come and freed when it is gone. So a change of hosts reaches no listener.
//! - A worker sees a table come a moment after it was made, and go a moment before it is freed. A request that falls into
//!   that moment has no route at all; [`Scope`], in the chain, then has it routed by the next wider host name, which is
//!   what would have served it a moment earlier or later.
//! - The header is never taken from clients.

mod name;
mod tables;

use std::cell::Cell;

use ferrule_kit::{ConfigError, Early, Fields, Filter, Flow, Host, Level, Message, RequestHead, Response};
use serde::Deserialize;

use crate::tables::{TABLES, Table};

/// The header that Envoy finds scopes by.
pub const HEADER: &str = "x-ferrule-scope";

thread_local! {
    /// Whether the key is to stay when this thread has a route selected anew.
    static KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Sets [`HEADER`].
#[derive(Debug)]
pub struct ScopeKey {
    prefix: Vec<u8>,
}

/// Configuration of [`ScopeKey`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// What the keys of a listener begin with; the tables of others have other keys.
    prefix: String,
}

impl Early for ScopeKey {
    const NAME: &'static str = "scope";
    type Config = KeyConfig;

    fn compile(config: KeyConfig) -> Result<Self, ConfigError> {
        Ok(Self { prefix: config.prefix.into_bytes() })
    }

    fn edit(&self, request: &mut dyn RequestHead) {
        choose(&self.prefix, request);
    }

    /// The prefix is that of the listener that the request came to.
    fn edit_again(request: &mut dyn RequestHead) {
        let prefix = request.field(HEADER).map(|key| name::prefix(&key).to_vec());
        if let Some(prefix) = prefix.filter(|_| !KEPT.get()) {
            choose(&prefix, request);
        }
    }
}

fn choose(prefix: &[u8], request: &mut dyn RequestHead) {
    let authority = request.field(":authority").unwrap_or_default();
    let key = name::key(prefix, &authority);
    let chosen = name::and_wider(&key).find(|key| TABLES.has(key));
    request.set_field(HEADER, &chosen.unwrap_or(key));
}

/// In a table: says that the table is there. In a filter chain, where the tables disable it: finds another table for a
/// request that has none.
#[derive(Debug)]
pub struct Scope {
    /// Only held.
    _table: Option<Table>,
}

/// Configuration of [`Scope`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// The key of the table that this stands in; none in a filter chain.
    #[serde(default)]
    key: Option<String>,
    /// Whether its routes need filters that the chain has only for those who need them.
    #[serde(default)]
    filters: bool,
}

impl Filter for Scope {
    const NAME: &'static str = "scope";
    const COUNTERS: &'static [&'static str] = &["late", "refused"];
    type Config = Config;
    type Stream = ();

    fn compile(config: Config) -> Result<Self, ConfigError> {
        Ok(Self { _table: config.key.map(|key| TABLES.add(key.into_bytes(), config.filters)) })
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn on_headers(&self, (): &mut (), host: &mut dyn Host, message: Message, _: bool) -> Flow {
        if message == Message::Response || has_route(host) {
            return Flow::Leave;
        }
        let Some(key) = host.field(Fields::RequestHeaders, HEADER).map(|key| key.into_owned()) else {
            return Flow::Leave;
        };
        for wider in name::and_wider(&key).skip(1).filter(|wider| TABLES.has(wider)) {
            host.set_field(Fields::RequestHeaders, HEADER, &wider);
            // Not for the host to be looked up again: its own table is the one that is not there.
            KEPT.set(true);
            host.clear_route_cache();
            KEPT.set(false);
            if has_route(host) {
                return late(host, &wider);
            }
        }
        Flow::Leave
    }
}

/// The chain was put together without a route, so it lacks the filters that only some routes have.
fn late(host: &mut dyn Host, key: &[u8]) -> Flow {
    if TABLES.needs_filters(key) {
        host.count(REFUSED, 1);
        let line = "a request came while its host changed tables, and needs filters that it has not got";
        host.log(Level::Warn, line);
        return Flow::Respond(Response::text(503, "scope_table_changed", ""));
    }
    host.count(LATE, 1);
    Flow::Leave
}

const LATE: ferrule_kit::Counter = ferrule_kit::Counter(0);
const REFUSED: ferrule_kit::Counter = ferrule_kit::Counter(1);

/// Every table has a virtual host, and that has a name.
fn has_route(host: &dyn Host) -> bool {
    host.attribute("xds.virtual_host_name").is_some()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use ferrule_kit::{MemoryHost, Octets, compile, compile_early};

    use super::*;

    struct Request(BTreeMap<String, Vec<u8>>);

    impl RequestHead for Request {
        fn field(&self, name: &str) -> Option<Octets<'_>> {
            self.0.get(name).map(|value| Cow::Borrowed(value.as_slice()))
        }

        fn set_field(&mut self, name: &str, value: &[u8]) {
            self.0.insert(name.to_owned(), value.to_vec());
        }
    }

    fn table(key: &str) -> Scope {
        compile(format!(r#"{{"key": "{key}"}}"#).as_bytes()).unwrap()
    }

    fn request(authority: &str) -> Request {
        Request([(":authority".to_owned(), authority.as_bytes().to_vec())].into())
    }

    fn key(request: &Request) -> &str {
        std::str::from_utf8(&request.0[HEADER]).unwrap()
    }

    #[test]
    fn the_most_specific_table_of_the_port_is_chosen_for_as_long_as_it_is_there() {
        let early: ScopeKey = compile_early(br#"{"prefix": "1"}"#).unwrap();
        let _every = table("1/*");
        let wildcard = table("1/*.example.com");
        let _other_port = table("2/a.example.com");
        let mut request = request("A.example.com:1");
        request.set_field(HEADER, b"2/a.example.com");
        early.edit(&mut request);
        assert_eq!(key(&request), "1/*.example.com");
        let exact = table("1/a.example.com");
        early.edit(&mut request);
        assert_eq!(key(&request), "1/a.example.com");
        drop((exact, wildcard));
        early.edit(&mut request);
        assert_eq!(key(&request), "1/*");
    }

    #[test]
    fn a_request_whose_host_a_filter_changes_gets_that_hosts_table() {
        let (_a, _b) = (table("3/a.example.com"), table("3/b.example.com"));
        let early: ScopeKey = compile_early(br#"{"prefix": "3"}"#).unwrap();
        let mut request = request("a.example.com");
        early.edit(&mut request);
        request.set_field(":authority", b"b.example.com");
        ScopeKey::edit_again(&mut request);
        assert_eq!(key(&request), "3/b.example.com");
    }

    #[test]
    fn a_listener_without_tables_has_no_header_set() {
        let mut request = request("a.example.com");
        ScopeKey::edit_again(&mut request);
        assert!(!request.0.contains_key(HEADER));
    }

    #[test]
    fn a_request_without_a_table_tries_the_wider_ones_and_leaves() {
        let (_exact, _every) = (table("4/a.example.com"), table("4/*"));
        let filter: Scope = compile(b"{}").unwrap();
        let mut host = MemoryHost::with_request([(HEADER, "4/a.example.com")]);
        assert_eq!(filter.on_headers(&mut (), &mut host, Message::Request, true), Flow::Leave);
        assert_eq!(host.field(Fields::RequestHeaders, HEADER).as_deref(), Some(&b"4/*"[..]));
    }
}
