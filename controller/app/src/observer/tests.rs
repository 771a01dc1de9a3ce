use std::path::Path;

use ferrule_translate::Settings;
use ferrule_xds::{Kind, Options, Peer, Refused, Server};

use super::*;
use crate::pipeline::Pipeline;
use crate::publish::Publisher;
use crate::record::Record;
use crate::watch::{Folder, Patience, Update};

/// The quick start's folder, translated and observed, with proxies of the test's own making.
struct Fixture {
    home: tempfile::TempDir,
    folder: Folder,
    pipeline: Pipeline,
    observer: Observer,
}

const GATEWAY: &str = "default/quickstart";

impl Fixture {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart");
        for file in std::fs::read_dir(examples).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), home.path().join(file.file_name())).unwrap();
        }
        let (server, _) = Server::new(Options::default());
        let pipeline = Pipeline::new(Settings::default(), Publisher::shared(server), Arc::default());
        let observer = Observer::new(SharedWriter::default(), Arc::default(), None);
        let folder = Folder::new(home.path()).unwrap();
        let mut fixture = Self { home, folder, pipeline, observer };
        fixture.look();
        fixture
    }

    fn look(&mut self) {
        let look = self.folder.look(Patience::Now);
        let took = std::time::Duration::ZERO;
        let update = Update::of_objects(look.changes, self.folder.diagnostics(), took);
        self.observer.on_translation(self.pipeline.run(vec![update]));
        self.observer.update_status();
    }

    fn edit(&mut self, file: &str, from: &str, to: &str) {
        let path = self.home.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(path, text.replace(from, to)).unwrap();
        self.look();
    }

    fn event(&mut self, event: Event) {
        self.observer.on_event(event);
        self.observer.update_status();
    }

    fn synced(&mut self) {
        let generation = self.observer.now.published[GATEWAY];
        self.event(Event::Synced { peer: peer(), generation, refused: vec![] });
    }

    fn record(&self, kind: &str) -> Record {
        lock(&self.observer.writer).records().find(|record| record.kind == kind).unwrap()
    }

    /// Status and reason of an object's `Programmed` conditions, and the generation that they are of.
    fn programmed(&self, kind: &str) -> Vec<(String, String, i64)> {
        let record = self.record(kind);
        let conditions = record.conditions();
        let ours = conditions.iter().filter(|condition| condition.kind == "Programmed");
        let generation =
            record.status.pointer("/conditions/1/observedGeneration").and_then(|value| value.as_i64());
        ours.map(|one| (one.status.to_owned(), one.reason.to_owned(), generation.unwrap_or(0))).collect()
    }
}

fn peer() -> Peer {
    Peer { group: GATEWAY.into(), node: "n".into(), stream: 1 }
}

fn refused(words: &str) -> Refused {
    Refused {
        kind: Kind::Routes,
        name: "default/quickstart/8080/*".into(),
        version: Some(1),
        message: words.into(),
    }
}

fn twice(status: &str, reason: &str, generation: i64) -> Vec<(String, String, i64)> {
    vec![(status.to_owned(), reason.to_owned(), generation); 2]
}

#[test]
fn a_gateway_is_programmed_when_its_proxy_says_so() {
    let mut it = Fixture::new();
    assert_eq!(it.programmed("Gateway"), twice("Unknown", "Pending", 1));
    it.event(Event::Connected(peer()));
    assert_eq!(it.programmed("Gateway"), twice("Unknown", "Pending", 1));
    it.synced();
    assert_eq!(it.programmed("Gateway"), twice("True", "Programmed", 1));
    // What runs is the first generation, until the proxy has taken up the second.
    it.edit("gateway.yaml", "port: 8080", "port: 8081");
    assert_eq!(it.programmed("Gateway"), twice("True", "Programmed", 1));
    it.synced();
    assert_eq!(it.programmed("Gateway"), twice("True", "Programmed", 2));
    it.event(Event::Disconnected(peer()));
    assert_eq!(it.programmed("Gateway"), twice("Unknown", "Pending", 2));
}

#[test]
fn a_refusal_is_laid_to_the_route_that_changed_and_goes_when_it_is_mended() {
    let mut it = Fixture::new();
    it.event(Event::Connected(peer()));
    it.synced();
    it.edit("route.yaml", "/greet}", "/hello}");
    it.event(Event::Nacked { peer: peer(), refused: refused("bad path") });
    assert_eq!(it.programmed("Gateway"), twice("False", "Invalid", 1));
    let route = it.record("HTTPRoute");
    let told = route.conditions().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("Programmed=False Invalid") && told.contains("bad path"), "{told}");
    assert!(it.programmed("Backend").is_empty());
    it.edit("route.yaml", "/hello}", "/greet}");
    it.synced();
    assert_eq!(it.programmed("Gateway"), twice("True", "Programmed", 1));
    assert!(it.programmed("HTTPRoute").is_empty());
}

#[test]
fn a_refusal_is_laid_to_the_policy_that_changed_and_not_to_its_route() {
    let mut it = Fixture::new();
    it.event(Event::Connected(peer()));
    it.synced();
    it.edit("policy.yaml", "| upper", "| lower");
    it.event(Event::Nacked { peer: peer(), refused: refused("cannot load it") });
    let policy = it.programmed("TrafficPolicy");
    assert_eq!(policy.iter().map(|(status, ..)| status.as_str()).collect::<Vec<_>>(), ["False"]);
    assert!(it.programmed("HTTPRoute").is_empty());
    it.edit("policy.yaml", "| lower", "| upper");
    it.synced();
    assert!(it.programmed("TrafficPolicy").is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let mut it = Fixture::new();
    assert_eq!(it.observer.now.diagnostics, []);
    it.edit("route.yaml", "name: upstream}", "name: nowhere}");
    let home = it.home.path().display().to_string();
    let told: Vec<String> = it.observer.now.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let expected = format!("{home}/route.yaml:20:7: HTTPRoute default/greeter: spec.rules[0].backendRefs[0]");
    assert!(told[0].starts_with(&expected), "{told:?}");
}
