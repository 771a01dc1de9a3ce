use serde_json::json;

use super::super::discovery;
use super::super::watch::Extent;
use super::*;

/// A store, and what it is told.
struct Bench {
    store: Store,
    living: Living,
}

impl Bench {
    fn new(selection: &str) -> Self {
        let living = Living::default();
        Self { store: Store::new(selection.parse().unwrap(), living.clone()), living }
    }

    fn tell(&mut self, kind: &str, sighting: Sighting) {
        let place = ferrule_translate::KINDS.iter().position(|known| known.name == kind).unwrap();
        self.tell_of(Source { kind: place, extent: Extent::Everything }, sighting);
    }

    fn tell_of(&mut self, source: Source, sighting: Sighting) {
        let resource = discovery::resource(source.kind(), source.kind().versions[0]);
        self.store.on_sighting(source, &Arc::new(resource), sighting);
    }

    fn see(&mut self, kind: &str, value: Value) {
        self.tell(kind, Sighting::Seen(Item::new(value).unwrap()));
    }

    /// What was put and what was removed.
    fn news(&mut self) -> (Vec<String>, Vec<String>) {
        let News { changes, .. } = self.store.take_news();
        let names = |keys: Vec<&ObjectRef>| keys.into_iter().map(ToString::to_string).collect();
        (names(changes.put.keys().collect()), names(changes.removed.iter().collect()))
    }
}

fn route(name: &str, version: &str, path: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "d", "resourceVersion": version, "uid": name, "generation": 1,
            "managedFields": [{"manager": version}]},
        "spec": {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}]}]},
        "status": {"parents": [{"controllerName": version}]},
    })
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_write_of_status_changes_the_status_alone() {
    let mut bench = Bench::new("");
    bench.see("HTTPRoute", route("a", "1", "/"));
    assert_eq!(bench.news(), (vec!["HTTPRoute d/a".to_owned()], none()));
    bench.see("HTTPRoute", route("a", "2", "/"));
    let news = bench.store.take_news();
    assert!(news.changes.is_empty());
    assert_eq!(news.touched.len(), 1);
    let live = bench.living.get(&news.touched[0]).unwrap();
    assert_eq!((&*live.resource_version, &live.status()["parents"][0]["controllerName"]), ("2", &json!("2")));
}

#[test]
fn what_is_older_than_our_own_write_is_not_taken_for_news() {
    let mut bench = Bench::new("");
    bench.see("HTTPRoute", route("a", "9", "/"));
    bench.store.take_news();
    bench.see("HTTPRoute", route("a", "8", "/"));
    assert!(bench.store.take_news().touched.is_empty());
    // A new object of that name starts again.
    let mut other = route("a", "3", "/");
    other["metadata"]["uid"] = "b".into();
    bench.see("HTTPRoute", other);
    assert_eq!(bench.store.take_news().touched.len(), 1);
}

#[test]
fn a_complete_list_says_what_is_gone_and_an_incomplete_one_nothing() {
    let mut bench = Bench::new("");
    for name in ["a", "b"] {
        bench.see("HTTPRoute", route(name, "1", "/"));
    }
    bench.news();
    bench.tell("HTTPRoute", Sighting::Begun);
    bench.see("HTTPRoute", route("b", "1", "/"));
    bench.tell("HTTPRoute", Sighting::Begun);
    assert_eq!(bench.news(), (none(), none()));
    bench.see("HTTPRoute", route("b", "1", "/"));
    bench.tell("HTTPRoute", Sighting::Listed);
    assert_eq!(bench.news(), (none(), vec!["HTTPRoute d/a".to_owned()]));
}

#[test]
fn namespaces_that_are_named_are_listed_each_alone_and_the_cluster_s_own_kinds_whole() {
    let mut bench = Bench::new("d,e");
    let place = |name: &str| ferrule_translate::KINDS.iter().position(|kind| kind.name == name).unwrap();
    let [d, e] = &bench.store.sources(place("HTTPRoute"))[..] else { panic!("not two namespaces") };
    let (d, e) = (d.clone(), e.clone());
    let whole = Source { kind: place("GatewayClass"), extent: Extent::Everything };
    assert_eq!(bench.store.sources(whole.kind), [whole]);
    bench.tell_of(d.clone(), Sighting::Seen(Item::new(route("a", "1", "/")).unwrap()));
    bench.news();
    for (source, gone) in [(e, none()), (d, vec!["HTTPRoute d/a".to_owned()])] {
        bench.tell_of(source.clone(), Sighting::Begun);
        bench.tell_of(source, Sighting::Listed);
        assert_eq!(bench.news(), (none(), gone));
    }
}

#[test]
fn an_object_that_cannot_be_read_keeps_its_last_good_form_and_is_told_of() {
    let mut bench = Bench::new("");
    bench.see("HTTPRoute", route("a", "1", "/"));
    bench.news();
    let mut broken = route("a", "2", "/");
    broken["spec"]["rules"] = "none".into();
    bench.see("HTTPRoute", broken);
    assert_eq!(bench.news(), (none(), none()));
    let told: Vec<String> = bench.store.diagnostics().iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("HTTPRoute d/a: spec.rules"), "{told:?}");
    bench.see("HTTPRoute", route("a", "3", "/x"));
    assert_eq!(bench.news().0.len(), 1);
    assert!(bench.store.diagnostics().is_empty());
}

#[test]
fn a_field_of_newer_definitions_is_let_be_and_told_of() {
    let mut bench = Bench::new("");
    let mut newer = route("a", "1", "/");
    newer["spec"]["rules"][0]["novelty"] = json!({"enabled": true});
    bench.see("HTTPRoute", newer);
    let news = bench.store.take_news();
    assert!(news.changes.put.len() == 1 && news.faults, "{news:?}");
    let told = bench.store.diagnostics();
    assert_eq!((told[0].path.as_str(), told[0].severity), ("spec.rules[0].novelty", Severity::Warning));
    bench.see("HTTPRoute", route("a", "2", "/"));
    assert!(bench.store.take_news().faults && bench.store.diagnostics().is_empty());
}

#[test]
fn a_list_that_is_null_is_empty() {
    let mut bench = Bench::new("");
    let slice = |endpoints: Value| json!({"metadata": {"name": "s", "namespace": "d"}, "addressType": "IPv4", "ports": null, "endpoints": endpoints});
    bench.see("EndpointSlice", slice(json!([{"addresses": ["10.0.0.1"]}])));
    bench.news();
    bench.see("EndpointSlice", slice(Value::Null));
    let News { changes, .. } = bench.store.take_news();
    let [(_, loaded)] = changes.put.iter().collect::<Vec<_>>()[..] else { panic!("{changes:?}") };
    let Object::EndpointSlice(slice) = &loaded.object else { panic!("{loaded:?}") };
    assert!(slice.endpoints.is_empty());
}

#[test]
fn a_namespace_comes_and_goes_with_its_labels() {
    let namespace = |labels: Value| json!({"metadata": {"name": "d", "labels": labels}});
    let mut bench = Bench::new("env=prod");
    bench.see("Namespace", namespace(json!({})));
    bench.see("HTTPRoute", route("a", "1", "/"));
    assert_eq!(bench.news(), (vec!["Namespace d".to_owned()], none()));
    bench.see("Namespace", namespace(json!({"env": "prod"})));
    assert_eq!(bench.news().0, ["Namespace d", "HTTPRoute d/a"]);
    bench.see("Namespace", namespace(json!({"env": "test"})));
    assert_eq!(bench.news().1, ["HTTPRoute d/a"]);
}

#[test]
fn services_of_proxies_are_kept_whole() {
    let mut bench = Bench::new("");
    let service = |address: &str| {
        json!({
            "metadata": {"name": "g", "namespace": "d", "labels": {MANAGED_BY_LABEL: MANAGED_BY}},
            "spec": {"ports": []}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
        })
    };
    bench.see("Service", service("10.0.0.1"));
    bench.news();
    bench.see("Service", service("10.0.0.2"));
    let news = bench.store.take_news();
    assert!(news.services && news.changes.is_empty());
    assert_eq!(bench.store.services()["d"][0]["status"]["loadBalancer"]["ingress"][0]["ip"], "10.0.0.2");
}
