use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ferrule_translate::api::gateway::GatewayStatus;
use ferrule_translate::api::meta::{Condition, GATEWAY_GROUP};
use ferrule_translate::api::route::{RouteParentStatus, RouteStatus};
use ferrule_translate::{KINDS, ObjectRef, Status};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::super::item::Item;
use super::super::live::{Live, Living};
use super::super::status::{Desk, Inbox};
use super::super::{CONTROLLER, Identity, discovery, events::Recorder, kinds};
use super::fake::{Asked, Log, Told, now, refusal, serve};
use crate::status::Wanted;

/// A desk, and what it hears of.
struct Bench {
    wanted: mpsc::UnboundedSender<Vec<Wanted>>,
    touched: mpsc::UnboundedSender<Vec<ObjectRef>>,
    leading: watch::Sender<bool>,
    living: Living,
    log: Log,
}

impl Bench {
    async fn new(answer: impl Fn(Asked) -> BoxFuture<'static, Told> + Clone + Send + Sync + 'static) -> Self {
        let (client, log) = serve(answer).await;
        let (wanted, wanted_out) = mpsc::unbounded_channel();
        let (touched, touched_out) = mpsc::unbounded_channel();
        let (leading, leading_out) = watch::channel(false);
        let living = Living::default();
        let recorder = Recorder::new(client.clone(), Identity("test".into()));
        let desk = Desk::new(client, CONTROLLER, living.clone(), recorder);
        let inbox = Inbox { wanted: wanted_out, touched: touched_out, leading: leading_out };
        tokio::spawn(desk.run(inbox));
        Self { wanted, touched, leading, living, log }
    }

    fn has(&self, object: &ObjectRef, status: Value) {
        let metadata = json!({"name": &*object.name, "uid": &*object.name, "resourceVersion": "1"});
        let item = Item::new(json!({"metadata": metadata})).unwrap();
        let place = kinds::place(&object.group, &object.kind).unwrap();
        let resource = Arc::new(discovery::resource(&KINDS[place], "v1"));
        self.living.put(object, Live::new(resource, &item, Some(&status)));
    }

    /// How often each path was patched, once nothing has been for half a second.
    async fn patches(&self) -> HashMap<String, usize> {
        let mut before = usize::MAX;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let log = self.log.lock().unwrap();
            let patches: Vec<&Asked> = log.iter().filter(|asked| asked.method == "PATCH").collect();
            if patches.len() == before {
                let mut counts = HashMap::new();
                for asked in patches {
                    let path = asked.path.split('?').next().unwrap_or_default().to_owned();
                    *counts.entry(path).or_default() += 1;
                }
                return counts;
            }
            before = patches.len();
        }
    }
}

/// Takes every status, and gives it back as the API server does.
fn takes(asked: Asked) -> BoxFuture<'static, Told> {
    let name = asked.body["metadata"]["name"].clone();
    let metadata = json!({"name": name, "uid": name, "resourceVersion": "2"});
    now(200, json!({"metadata": metadata, "status": asked.body["status"]}))
}

fn condition(message: &str) -> Condition {
    Condition {
        kind: "Accepted".into(),
        status: "True".into(),
        reason: "Accepted".into(),
        message: message.into(),
        observed_generation: 1,
        last_transition_time: None,
    }
}

fn route(name: &str) -> (ObjectRef, Arc<Status>) {
    let parent = RouteParentStatus {
        parent_ref: serde_json::from_value(json!({"name": "g"})).unwrap(),
        controller_name: CONTROLLER.into(),
        conditions: vec![condition("")],
    };
    let status = Status::Route(RouteStatus { parents: vec![parent] });
    (ObjectRef::new(GATEWAY_GROUP, "HTTPRoute", "d", name), Arc::new(status))
}

fn gateway(attached: usize) -> (ObjectRef, Arc<Status>) {
    let conditions = vec![condition(&format!("{attached} routes"))];
    let status = Status::Gateway(GatewayStatus { conditions, ..GatewayStatus::default() });
    (ObjectRef::new(GATEWAY_GROUP, "Gateway", "d", "g"), Arc::new(status))
}

const GATEWAY: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/d/gateways/g/status";

#[tokio::test]
async fn a_burst_of_routes_is_a_write_each_and_a_few_of_their_gateway() {
    let bench = Bench::new(takes).await;
    bench.leading.send_replace(true);
    bench.has(&gateway(0).0, json!({}));
    for batch in 0..100_usize {
        let routes: Vec<_> = (0..10).map(|n| route(&format!("r{}", batch * 10 + n))).collect();
        routes.iter().for_each(|(route, _)| bench.has(route, json!({})));
        let all = routes.into_iter().chain([gateway(batch)]);
        bench.wanted.send(all.map(|(object, status)| (object, Some(status))).collect()).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut patches = bench.patches().await;
    let of_gateway = patches.remove(GATEWAY).unwrap();
    assert!((1..=10).contains(&of_gateway), "{of_gateway}");
    assert_eq!(patches.len(), 1000);
    assert!(patches.values().all(|count| *count == 1));
    let log = bench.log.lock().unwrap();
    let last = log.iter().rfind(|asked| asked.path.starts_with(GATEWAY)).unwrap();
    assert_eq!(last.body["status"]["conditions"][0]["message"], "99 routes");
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing_and_who_comes_to_lead_writes_all_that_is_wanted() {
    let bench = Bench::new(takes).await;
    let (object, status) = route("a");
    bench.has(&object, json!({}));
    bench.wanted.send(vec![(object, Some(status))]).unwrap();
    assert!(bench.patches().await.is_empty());
    bench.leading.send_replace(true);
    assert_eq!(bench.patches().await.len(), 1);
}

#[tokio::test]
async fn nothing_that_an_earlier_leader_wrote_is_taken_back_before_the_first_translation() {
    let bench = Bench::new(takes).await;
    let (object, status) = route("a");
    let (gone, _) = route("gone");
    let mut held = serde_json::to_value(&*status).unwrap();
    held["parents"][0]["conditions"][0]["lastTransitionTime"] = "then".into();
    bench.has(&object, held.clone());
    bench.has(&gone, held);
    bench.leading.send_replace(true);
    bench.touched.send(vec![object.clone(), gone]).unwrap();
    assert!(bench.patches().await.is_empty());
    bench.wanted.send(vec![(object, Some(status))]).unwrap();
    let patches: Vec<String> = bench.patches().await.into_keys().collect();
    assert_eq!(patches, ["/apis/gateway.networking.k8s.io/v1/namespaces/d/httproutes/gone/status"]);
}

#[tokio::test]
async fn a_write_that_conflicts_is_made_again_from_what_there_is_then() {
    let refuse_first = |asked: Asked| match asked.body["metadata"]["resourceVersion"].as_str() {
        Some("1") => now(409, refusal(409, "Conflict")),
        _ => takes(asked),
    };
    let bench = Bench::new(refuse_first).await;
    bench.leading.send_replace(true);
    let (object, status) = route("a");
    bench.has(&object, json!({}));
    bench.wanted.send(vec![(object.clone(), Some(status))]).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let item = Item::new(json!({"metadata": {"name": "a", "uid": "a", "resourceVersion": "5"}})).unwrap();
    let foreign = json!({"parents": [{"controllerName": "other"}]});
    let resource = bench.living.get(&object).unwrap().resource;
    bench.living.put(&object, Live::new(resource, &item, Some(&foreign)));
    bench.touched.send(vec![object]).unwrap();
    bench.patches().await;
    let log = bench.log.lock().unwrap();
    let last = log.iter().rfind(|asked| asked.method == "PATCH").unwrap();
    assert_eq!(last.body["metadata"]["resourceVersion"], "5");
    assert_eq!(last.body["status"]["parents"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_status_that_someone_keeps_undoing_is_written_ever_more_rarely() {
    // Whatever is written, there is nothing afterwards.
    let undone = |asked: Asked| {
        let name = asked.body["metadata"]["name"].clone();
        now(200, json!({"metadata": {"name": name, "uid": name, "resourceVersion": "2"}, "status": {}}))
    };
    let bench = Bench::new(undone).await;
    bench.leading.send_replace(true);
    let (object, status) = route("a");
    bench.has(&object, json!({}));
    bench.wanted.send(vec![(object, Some(status))]).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let writes = bench.log.lock().unwrap().iter().filter(|asked| asked.method == "PATCH").count();
    assert!((2..10).contains(&writes), "{writes}");
}
