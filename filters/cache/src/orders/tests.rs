use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ferrule_kit::{Callout, ConfigHost, Errand, Filter, compile};
use serde_json::{Value, json};

use crate::Cache;
use crate::policy::stored::Stored;
use crate::policy::time::Time;
use crate::store::codec::{Head, Parts};
use crate::store::{Body, Object};

/// Keeps what is sent off.
#[derive(Debug, Default)]
struct Proxy {
    is_deaf: bool,
    sent: Mutex<Vec<(Callout, Box<dyn Errand>)>>,
}

impl ConfigHost for Proxy {
    fn runs_errands(&self) -> bool {
        !self.is_deaf
    }

    fn send_off(&mut self, request: Callout, errand: Box<dyn Errand>) {
        self.sent.get_mut().unwrap().push((request, errand));
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(110)
    }
}

impl Proxy {
    /// A configuration with these orders comes: what is sent off for it.
    fn configure(&mut self, list: Value) -> Vec<(Callout, Box<dyn Errand>)> {
        let report = json!({"cluster": "controller", "path": "/reports"});
        let config = json!({"disable": {}, "orders": {"report": report, "list": list}});
        compile::<Cache>(config.to_string().as_bytes()).unwrap().on_configured(self);
        std::mem::take(self.sent.get_mut().unwrap())
    }

    /// What comes of one order.
    fn outcome(&mut self, order: Value) -> Value {
        let mut sent = self.configure(json!([order]));
        let (request, mut errand) = sent.pop().expect("a report");
        errand.on_headers(self.now(), &[(b":status"[..].into(), b"204"[..].into())], true);
        let report: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(report["id"], order["id"]);
        report["outcome"].clone()
    }
}

/// A cache with a storage of its own.
fn cache(storage: &str, more: Value) -> Cache {
    let mut config = json!({"storage": {"name": storage, "bytes": 1 << 20}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    compile(config.to_string().as_bytes()).unwrap()
}

/// Stores a response that came at 100 s and lasts for a minute.
fn store(cache: &Cache, key: &str, tags: &[&str], selector: Option<&str>) {
    let selectors = selector.map(|value| ("accept-language".to_owned(), Some(value.into())));
    let tags = tags.iter().map(|tag| tag.as_bytes().to_vec()).collect();
    let lines = vec![("etag".to_owned(), b"\"x\"".to_vec())];
    let selectors = selectors.into_iter().collect();
    let head = Head::encode(&Parts { key: key.into(), selectors, tags, lines, recast: None });
    let store = &cache.storage.store;
    let charge = store.reserve(Object::cost(&head)).unwrap();
    let stored = Stored {
        status: 200,
        no_cache: false,
        must_revalidate: false,
        response_time: Time::from_seconds(100),
        initial_age: 0,
        lifetime: 60,
        date: 100,
        last_modified: None,
        stale_while_revalidate: 0,
        stale_if_error: 30,
    };
    store.insert(Arc::new(Object::new(stored, head, Body::EMPTY, charge)), store.epoch());
}

fn keys(cache: &Cache, keys: &[&str]) -> Vec<bool> {
    keys.iter().map(|key| !cache.storage.store.variants(key.as_bytes()).is_empty()).collect()
}

#[test]
fn a_purge_finds_what_each_policy_stores_under_keys_of_its_own() {
    let plain = cache("finds/plain", json!({}));
    let keyed = cache("finds/keyed", json!({"key": {"ignoreHost": true, "headers": ["x-a"]}}));
    // What shares a storage is purged once.
    let _same = cache("finds/plain", json!({"ttl": {"defaultSeconds": 5}}));
    store(&plain, "http://finds/a", &[], None);
    store(&plain, "http://finds/a/b", &["t"], None);
    store(&keyed, "http:///a\0hx-a=1", &[], None);
    let mut proxy = Proxy::default();
    let purged = proxy.outcome(json!({"id": "finds 1", "purge": {"urls": ["http://FINDS:80/a"]}}));
    assert_eq!(purged, json!({"purged": 2}));
    assert_eq!(keys(&plain, &["http://finds/a", "http://finds/a/b"]), [false, true]);
    assert_eq!(keys(&keyed, &["http:///a\0hx-a=1"]), [false]);
    let other = json!({"id": "finds 2", "storage": "finds/keyed", "purge": {"prefixes": ["http://finds/"]}});
    assert_eq!(proxy.outcome(other), json!({"purged": 0}));
    let by_tag =
        json!({"id": "finds 3", "storage": "finds/plain", "purge": {"tags": ["t", "u"], "soft": true}});
    assert_eq!(proxy.outcome(by_tag), json!({"purged": 1}));
    assert!(plain.storage.store.variants(b"http://finds/a/b")[0].is_purged());
}

#[test]
fn an_order_is_carried_out_once_and_reported_until_the_report_arrives() {
    let plain = cache("once", json!({}));
    store(&plain, "http://once/a", &[], None);
    let order = json!([{"id": "once 1", "purge": {"urls": ["http://once/a"]}}]);
    let mut proxy = Proxy::default();
    let first = proxy.configure(order.clone());
    assert_eq!((&*first[0].0.cluster, first[0].0.timeout), ("controller", Duration::from_secs(10)));
    store(&plain, "http://once/a", &[], None);
    assert!(proxy.configure(order.clone()).is_empty(), "one report at a time");
    drop(first);
    let mut second = proxy.configure(order.clone());
    assert!(String::from_utf8_lossy(&second[0].0.body).contains(r#""purged":1"#), "as it was then");
    second[0].1.on_headers(proxy.now(), &[(b":status"[..].into(), b"503"[..].into())], true);
    drop(second);
    let mut third = proxy.configure(order.clone());
    third[0].1.on_headers(proxy.now(), &[(b":status"[..].into(), b"204"[..].into())], true);
    drop(third);
    assert!(proxy.configure(order).is_empty());
    assert_eq!(keys(&plain, &["http://once/a"]), [true], "stored since");
}

#[test]
fn a_host_without_errands_carries_out_and_says_nothing() {
    let plain = cache("deaf", json!({}));
    store(&plain, "http://deaf/a", &[], None);
    let mut proxy = Proxy { is_deaf: true, ..Proxy::default() };
    assert!(proxy.configure(json!([{"id": "deaf", "purge": {"urls": ["http://deaf/a"]}}])).is_empty());
    assert_eq!(keys(&plain, &["http://deaf/a"]), [false]);
}

#[test]
fn an_inspection_tells_what_is_stored_and_what_a_request_would_get() {
    let plain = cache("look", json!({"name": "edge", "bypass": [{"header": {"name": "x-no"}}]}));
    store(&plain, "http://look/a", &["t"], Some("en"));
    let mut proxy = Proxy::default();
    let mut look = |id: &str, method: &str, headers: Value| {
        let inspect = json!({"url": "http://look/a", "method": method, "headers": headers});
        let outcome = proxy.outcome(json!({"id": id, "storage": "look", "inspect": inspect}));
        outcome["caches"][0].clone()
    };
    let hit = look("look 1", "GET", json!([["Accept-Language", "en"]]));
    assert_eq!(hit["request"]["cacheStatus"], "edge; hit; ttl=50");
    let stored = &hit["stored"][0];
    assert_eq!((&stored["selected"], &stored["ageSeconds"]), (&json!(true), &json!(10)));
    assert_eq!((&stored["selectedBy"], &stored["tags"]), (&json!({"accept-language": "en"}), &json!(["t"])));
    assert_eq!((&stored["staleIfErrorSeconds"], &stored["etag"]), (&json!(30), &json!("\"x\"")));
    let other = look("look 2", "GET", json!([]));
    assert_eq!(other["request"]["cacheStatus"], "edge; fwd=vary-miss");
    assert_eq!(other["stored"][0]["selected"], false);
    assert_eq!(look("look 3", "GET", json!([["x-no", "1"]]))["request"]["cacheStatus"], "edge; fwd=bypass");
    assert_eq!(look("look 4", "POST", json!([]))["request"]["cacheStatus"], "edge; fwd=method");
    let only = look("look 5", "GET", json!([["cache-control", "only-if-cached"]]));
    assert_eq!(only["request"]["outcome"], "504");
}

#[test]
fn an_inspection_tells_partitions_of_a_url_apart() {
    let plain = cache("apart", json!({}));
    let apart = cache("apart", json!({"key": {"partition": "canary"}}));
    let _other = cache("apart", json!({"key": {"partition": "unused"}}));
    store(&plain, "http://apart/a", &[], None);
    store(&apart, "http://apart/a\0pcanary", &[], None);
    let inspect = json!({"url": "http://apart/a"});
    let outcome = Proxy::default().outcome(json!({"id": "apart", "storage": "apart", "inspect": inspect}));
    let caches = outcome["caches"].as_array().unwrap();
    let shown: Vec<_> = caches.iter().map(|cache| (&cache["key"], &cache["stored"][0]["key"])).collect();
    let expected = [json!("http://apart/a"), json!("http://apart/a pcanary")];
    assert_eq!(shown, expected.iter().map(|key| (key, key)).collect::<Vec<_>>());
    assert!(caches.iter().all(|cache| cache["stored"].as_array().unwrap().len() == 1), "{outcome}");
}

#[test]
fn what_is_no_order_does_not_compile() {
    for (list, why) in [
        (json!([{"id": "", "purge": {"tags": ["a"]}}]), "orders.list[0].id: is empty or too long"),
        (json!([{"id": "a"}]), "orders.list[0]: is neither"),
        (
            json!([{"id": "a", "purge": {"tags": [""]}}]),
            "orders.list[0].purge: names nothing, or an empty tag",
        ),
        (json!([{"id": "a", "inspect": {"url": "a"}}]), "orders.list[0].inspect.url: `a` is no URL"),
        (json!(vec![json!({"id": "a", "purge": {"tags": ["a"]}}); 65]), "orders.list: has more than 64"),
    ] {
        let config = json!({"orders": {"list": list}}).to_string();
        let error = compile::<Cache>(config.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
