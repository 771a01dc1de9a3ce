use std::collections::HashMap;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::super::CONTROLLER;
use super::super::definitions::Definitions;
use super::super::gather::{Gather, Outlets};
use super::super::live::Living;
use super::super::store::Store;
use super::fake::{Asked, Log, Told, list, never, now, refusal, serve};
use crate::watch::Update;

/// What the server holds, by the last part of a path; a kind that is not in there is not served.
type Held = Arc<Mutex<HashMap<String, Vec<Value>>>>;

const ALL: [&str; 7] = [
    "gatewayclasses",
    "gateways",
    "httproutes",
    "referencegrants",
    "namespaces",
    "services",
    "endpointslices",
];

struct Bench {
    held: Held,
    updates: blocking::Receiver<Update>,
    waiting: watch::Receiver<String>,
    definitions: watch::Sender<Definitions>,
    log: Log,
    _touched: mpsc::UnboundedReceiver<Vec<ferrule_translate::ObjectRef>>,
}

impl Bench {
    async fn new(held: &[(&str, Vec<Value>)]) -> Self {
        let mut all: HashMap<String, Vec<Value>> =
            ALL.iter().map(|kind| ((*kind).to_owned(), vec![])).collect();
        all.extend(held.iter().map(|(kind, items)| ((*kind).to_owned(), items.clone())));
        let held = Arc::new(Mutex::new(all));
        let of_server = held.clone();
        let (client, log) = serve(move |asked| answer(&of_server, &asked)).await;
        let (updates_in, updates) = blocking::channel();
        let (touched_in, touched) = mpsc::unbounded_channel();
        let (services, _) = watch::channel(HashMap::new());
        let (waiting_in, waiting) = watch::channel(String::new());
        let outlets = Outlets { updates: updates_in, touched: touched_in, services, waiting: waiting_in };
        let store = Store::new("".parse().unwrap(), Living::default());
        let (definitions, definitions_out) = watch::channel(Definitions::default());
        tokio::spawn(Gather::new(client, store, CONTROLLER, outlets).run(definitions_out));
        Self { held, updates, waiting, definitions, log, _touched: touched }
    }

    async fn update(&self) -> Option<Update> {
        for _ in 0..600 {
            if let Ok(update) = self.updates.try_recv() {
                return Some(update);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

fn answer(held: &Held, asked: &Asked) -> BoxFuture<'static, Told> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let held = held.lock().unwrap();
    if query.contains("sendInitialEvents=true") {
        return now(422, refusal(422, "Invalid"));
    }
    if query.contains("watch=true") {
        return never();
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    match held.get(last) {
        Some(items) if items.iter().any(|item| item == "stuck") => never(),
        Some(items) => now(200, list("5", items)),
        // Discovery.
        None if last.starts_with('v') => {
            let resources: Vec<Value> = held
                .keys()
                .map(|name| {
                    json!({
                "name": name, "kind": "K", "namespaced": true, "singularName": "", "verbs": []})
                })
                .collect();
            now(200, json!({"kind": "APIResourceList", "groupVersion": "g/v1", "resources": resources}))
        }
        None => now(404, refusal(404, "NotFound")),
    }
}

fn names(update: &Update) -> Vec<String> {
    update.changes.put.keys().map(ToString::to_string).collect()
}

fn route(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "d", "resourceVersion": "3"}, "spec": {}})
}

#[tokio::test]
async fn half_a_world_is_never_published() {
    let bench = Bench::new(&[("httproutes", vec![route("a")]), ("services", vec!["stuck".into()])]).await;
    let mut waiting = bench.waiting.clone();
    waiting.wait_for(|waiting| waiting == "not read yet: services").await.unwrap();
    assert!(bench.updates.try_recv().is_err());
}

#[tokio::test]
async fn a_kind_that_is_defined_later_is_read_then() {
    let bench = Bench::new(&[("httproutes", vec![route("a")])]).await;
    assert_eq!(names(&bench.update().await.unwrap()), ["HTTPRoute d/a"]);
    let backend = json!({"metadata": {"name": "b", "namespace": "d", "resourceVersion": "9"}, "spec": {}});
    bench.held.lock().unwrap().insert("backends".to_owned(), vec![backend]);
    bench.definitions.send_modify(|known| known.changes += 1);
    assert_eq!(names(&bench.update().await.unwrap()), ["Backend d/b"]);
}

#[tokio::test]
async fn a_gateway_comes_together_with_the_secret_that_it_refers_to_and_no_other_is_read() {
    let class =
        json!({"metadata": {"name": "c", "resourceVersion": "1"}, "spec": {"controllerName": CONTROLLER}});
    let tls = json!({"certificateRefs": [{"name": "cert"}]});
    let gateway = json!({
        "metadata": {"name": "g", "namespace": "d", "resourceVersion": "2"},
        "spec": {"gatewayClassName": "c", "listeners": [{"name": "a", "port": 443, "protocol": "HTTPS", "tls": tls}]},
    });
    let secret = json!({"metadata": {"name": "cert", "namespace": "d", "resourceVersion": "3"}, "data": {}});
    let bench = Bench::new(&[
        ("gatewayclasses", vec![class]),
        ("gateways", vec![gateway]),
        ("secrets", vec![secret]),
    ])
    .await;
    let update = bench.update().await.unwrap();
    assert_eq!(names(&update), ["Secret d/cert", "Gateway d/g", "GatewayClass c"]);
    let log = bench.log.lock().unwrap();
    let mut secrets = log.iter().filter(|asked| asked.path.contains("/secrets"));
    let by_name = "fieldSelector=metadata.name%3Dcert";
    assert!(
        secrets.all(|asked| asked.path.contains("/namespaces/d/") && asked.path.contains(by_name)),
        "{log:?}"
    );
}
