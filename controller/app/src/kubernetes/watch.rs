//! One watch of the API server: everything of a kind, all of it in a namespace, or one object by its name.
//!
//! Invariants: a watch is tried again for ever, with growing pauses; what it told stays as it is meanwhile; only a
//! complete list says what is gone.

use std::sync::Arc;
use std::time::Duration;

use ferrule_translate::{KINDS, Key, Kind};
use futures::StreamExt;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::mpsc;

use super::item::Item;
use crate::selection::Selection;

/// First pause after a failure; each one is twice as long as the one before...
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ...but no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long to wait after one failure and the next.
#[derive(Debug, Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.0)).min(LONGEST_PAUSE);
        self.0 = self.0.saturating_add(1);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }
}

/// What a watch is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source {
    /// Place in [`KINDS`].
    pub(crate) kind: usize,
    pub(crate) extent: Extent,
}

/// How much of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Extent {
    Everything,
    Namespace(Arc<str>),
    Object(Key),
}

impl Extent {
    /// What there is to watch of a kind that has namespaces: where they are named, no right elsewhere is needed.
    pub(crate) fn of(selection: &Selection) -> Vec<Self> {
        match selection {
            Selection::Named(names) => {
                names.iter().map(|name| Self::Namespace(name.as_str().into())).collect()
            }
            Selection::All | Selection::Labelled(_) => vec![Self::Everything],
        }
    }

    /// Where to ask for it.
    pub(crate) fn api<K>(&self, client: &Client, resource: &ApiResource) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>,
    {
        match self {
            Self::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            Self::Object((namespace, _)) if !namespace.is_empty() => {
                Api::namespaced_with(client.clone(), namespace, resource)
            }
            Self::Everything | Self::Object(_) => Api::all_with(client.clone(), resource),
        }
    }
}

impl Source {
    pub(crate) fn kind(&self) -> &'static Kind {
        &KINDS[self.kind]
    }

    pub(crate) fn is_by_name(&self) -> bool {
        matches!(self.extent, Extent::Object(_))
    }

    fn config(&self) -> watcher::Config {
        let config = watcher::Config::default();
        match &self.extent {
            Extent::Object((_, name)) => config.fields(&format!("metadata.name={name}")),
            Extent::Everything | Extent::Namespace(_) => config,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.extent {
            Extent::Object((namespace, name)) => write!(f, "{} {namespace}/{name}", self.kind().name),
            Extent::Namespace(namespace) => write!(f, "{} in {namespace}", self.kind().plural),
            Extent::Everything => f.write_str(self.kind().plural),
        }
    }
}

/// What a watch saw.
#[derive(Debug)]
pub(crate) enum Sighting {
    /// A list of everything there is begins.
    Begun,
    /// An object as it is now.
    Seen(Item),
    /// An object that is gone.
    Gone(Item),
    /// The list is complete.
    Listed,
    /// The API server does not serve the kind, or no longer; the watch has ended.
    Unserved,
}

/// The sightings of all watches, each with the version of the kind that was watched.
pub(crate) type Sightings = mpsc::Sender<(Source, Arc<ApiResource>, Sighting)>;

/// Watches until nobody listens any more or the kind is not served.
pub(crate) async fn watch(client: Client, source: Source, resource: ApiResource, sightings: Sightings) {
    let resource = Arc::new(resource);
    let mut watch =
        Watch { source, resource, sightings, pauses: Pauses::default(), failing: false, listed: false };
    let streaming = watch.source.config().streaming_lists();
    for config in [streaming, watch.source.config()] {
        match watch.follow(&client, config).await {
            End::Deaf | End::Unserved => return,
            End::NoStreaming => tracing::debug!("{}: no streaming lists; using plain ones", watch.source),
        }
    }
}

enum End {
    /// Nobody listens.
    Deaf,
    Unserved,
    /// The server refuses streaming lists: an old one, as a rule, or one with an old etcd.
    NoStreaming,
}

struct Watch {
    source: Source,
    resource: Arc<ApiResource>,
    sightings: Sightings,
    pauses: Pauses,
    failing: bool,
    /// Whether there has been a complete list.
    listed: bool,
}

impl Watch {
    async fn follow(&mut self, client: &Client, config: watcher::Config) -> End {
        let streaming = config.initial_list_strategy == watcher::InitialListStrategy::StreamingList;
        let mut events = watcher(self.source.extent.api::<Item>(client, &self.resource), config).boxed();
        while let Some(event) = events.next().await {
            let sighting = match event {
                Ok(event) => self.saw(event),
                Err(error) => match code(&error) {
                    Some(404) => {
                        let _ = self.tell(Sighting::Unserved).await;
                        return End::Unserved;
                    }
                    Some(_) if streaming && !self.listed => return End::NoStreaming,
                    _ => {
                        self.failed(&error).await;
                        continue;
                    }
                },
            };
            if self.tell(sighting).await.is_err() {
                return End::Deaf;
            }
        }
        End::Deaf
    }

    fn saw(&mut self, event: Event<Item>) -> Sighting {
        // A list has only begun; that it can be had is shown by what follows.
        if !matches!(event, Event::Init) {
            self.pauses.reset();
            if std::mem::take(&mut self.failing) {
                tracing::info!("{}: the API server answers again", self.source);
            }
        }
        match event {
            Event::Init => Sighting::Begun,
            Event::InitApply(item) | Event::Apply(item) => Sighting::Seen(item),
            Event::Delete(item) => Sighting::Gone(item),
            Event::InitDone => {
                self.listed = true;
                Sighting::Listed
            }
        }
    }

    async fn failed(&mut self, error: &watcher::Error) {
        // An expired watch is nothing unusual: it is started again with a list.
        if code(error) != Some(410) && !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("{}: {error}; trying again, what was read stays in use", self.source);
        }
        tokio::time::sleep(self.pauses.next()).await;
    }

    async fn tell(&self, sighting: Sighting) -> Result<(), ()> {
        let told = (self.source.clone(), Arc::clone(&self.resource), sighting);
        self.sightings.send(told).await.map_err(drop)
    }
}

fn code(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
