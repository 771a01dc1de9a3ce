//! The custom resource definitions of the cluster: that they come and go, and which release of Gateway API they are of.

use ferrule_translate::KINDS;
use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::watch;

use super::kinds;
use super::watch::Pauses;

/// Annotation with the release, such as `v1.7.0`.
const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";
/// The definition whose release counts for all.
const CLASSES: &str = "gatewayclasses.gateway.networking.k8s.io";

/// What is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Definitions {
    /// Counts changes.
    pub(crate) changes: u64,
    /// The release of Gateway API, as it stands in the annotation.
    pub(crate) bundle: Option<String>,
}

/// Watches until nobody listens. Where it may not, `definitions` stays as it is, and discovery asks now and then.
pub(crate) async fn follow(client: Client, definitions: watch::Sender<Definitions>) {
    let all: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
    let mut events = watcher(all, watcher::Config::default()).boxed();
    let mut pauses = Pauses::default();
    while let Some(event) = events.next().await {
        if definitions.is_closed() {
            return;
        }
        match event {
            Ok(Event::Init | Event::InitDone) => {}
            Ok(Event::Apply(one) | Event::InitApply(one)) => {
                pauses.reset();
                note(&definitions, &one, true);
            }
            Ok(Event::Delete(one)) => note(&definitions, &one, false),
            Err(error) => {
                tracing::debug!("custom resource definitions: {error}");
                tokio::time::sleep(pauses.next()).await;
            }
        }
    }
}

fn note(
    definitions: &watch::Sender<Definitions>,
    one: &PartialObjectMeta<CustomResourceDefinition>,
    exists: bool,
) {
    let name = one.meta().name.as_deref().unwrap_or_default();
    if !is_ours(name) {
        return;
    }
    let annotations = one.meta().annotations.as_ref();
    let bundle = annotations.and_then(|all| all.get(BUNDLE)).filter(|_| exists).cloned();
    definitions.send_modify(|known| {
        known.changes += 1;
        if name == CLASSES {
            known.bundle = bundle;
        }
    });
}

fn is_ours(name: &str) -> bool {
    let is = |plural: &str, group: &str| {
        name.strip_prefix(plural).and_then(|rest| rest.strip_prefix('.')) == Some(group)
    };
    KINDS.iter().any(|kind| kinds::is_expected(kind) && is(kind.plural, kind.group))
}
