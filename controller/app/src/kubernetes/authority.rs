//! The authority that signs the certificates of xDS: a Secret that all replicas read and the leader keeps, and the
//! server's own credentials.
//!
//! Invariants: nothing is signed by an authority that is not kept; a Secret that cannot be read is never overwritten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ferrule_pki::{Authorities, Credentials, Lifetimes};
use ferrule_xds::{Tls, TlsMaterial};
use futures::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::watch::Pauses;

/// Name of the Secret, in the controller's namespace.
pub(crate) const SECRET: &str = "ferrule-xds-authority";
/// How often it is looked whether something is due to be replaced.
const REGULAR: Duration = Duration::from_secs(60);
/// How soon a leader looks again that could not keep an authority.
const AGAIN: Duration = Duration::from_secs(2);

/// The authorities, once there are any.
pub(crate) type Known = Option<Arc<Authorities>>;

/// The Secret as it was last seen.
#[derive(Debug, Default)]
enum Seen {
    /// The API server has not said yet.
    #[default]
    Nothing,
    Missing,
    Found(Box<Secret>),
}

/// Keeps the authorities and the server's credentials.
pub(crate) struct Keeper {
    secrets: Api<Secret>,
    /// Names of the server.
    names: Vec<String>,
    known: watch::Sender<Known>,
    server: watch::Sender<Option<Tls>>,
    credentials: Option<Credentials>,
    seen: Seen,
    /// Whether the list under way has shown it.
    shown: bool,
    leading: watch::Receiver<bool>,
    failing: bool,
}

impl Keeper {
    pub(crate) fn new(
        (client, namespace): (Client, &str),
        names: Vec<String>,
        leading: watch::Receiver<bool>,
        known: watch::Sender<Known>,
        server: watch::Sender<Option<Tls>>,
    ) -> Self {
        Self {
            secrets: Api::namespaced(client, namespace),
            names,
            known,
            server,
            credentials: None,
            seen: Seen::Nothing,
            shown: false,
            leading,
            failing: false,
        }
    }

    /// Keeps them for ever.
    pub(crate) async fn run(mut self) {
        let config = watcher::Config::default().fields(&format!("metadata.name={SECRET}"));
        let mut events = watcher(self.secrets.clone(), config).boxed();
        let mut pauses = Pauses::default();
        loop {
            let pause = if self.failing { AGAIN } else { REGULAR };
            tokio::select! {
                Some(event) = events.next() => match event {
                    Ok(event) => {
                        pauses.reset();
                        self.see(event);
                    }
                    Err(error) => {
                        tracing::debug!("Secret {SECRET}: {error}");
                        tokio::time::sleep(pauses.next()).await;
                        continue;
                    }
                },
                Ok(()) = self.leading.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
            let kept = self.keep().await.and_then(|()| self.renew_server());
            let was_failing = std::mem::replace(&mut self.failing, kept.is_err());
            if let Err(error) = kept.as_ref()
                && !was_failing
            {
                tracing::error!("the authority of xDS (Secret {SECRET}): {error:#}");
            }
        }
    }

    fn see(&mut self, event: Event<Secret>) {
        match event {
            Event::Init => self.shown = false,
            Event::InitApply(secret) | Event::Apply(secret) => {
                (self.shown, self.seen) = (true, Seen::Found(Box::new(secret)));
            }
            Event::Delete(_) => self.seen = Seen::Missing,
            Event::InitDone if !self.shown => self.seen = Seen::Missing,
            Event::InitDone => {}
        }
    }

    /// Reads the authorities; as the leader also makes the first one, and the next when it is time.
    async fn keep(&mut self) -> anyhow::Result<()> {
        let (leading, now) = (*self.leading.borrow(), SystemTime::now());
        match &self.seen {
            Seen::Missing if leading => {
                // If ours is gone, it is kept again: proxies trust it.
                let known = self.known.borrow().clone();
                let fresh = match known {
                    Some(known) => Authorities::clone(&known),
                    None => Authorities::create(now, Lifetimes::default())?,
                };
                let created = self.secrets.create(&PostParams::default(), &secret(None, &fresh)).await?;
                self.seen = Seen::Found(Box::new(created));
                self.announce(fresh);
            }
            Seen::Found(kept) => {
                let authorities = Authorities::read(&data(kept), Lifetimes::default())?;
                match authorities.rotated(now)? {
                    Some(next) if leading => {
                        let metadata = Some(kept.metadata.clone());
                        let params = PostParams::default();
                        let kept = self.secrets.replace(SECRET, &params, &secret(metadata, &next)).await?;
                        tracing::info!("the authorities of xDS have been replaced");
                        self.seen = Seen::Found(Box::new(kept));
                        self.announce(next);
                    }
                    _ => self.announce(authorities),
                }
            }
            Seen::Nothing | Seen::Missing => {}
        }
        Ok(())
    }

    fn announce(&self, authorities: Authorities) {
        self.known.send_if_modified(|known| {
            let differs = known.as_deref() != Some(&authorities);
            if differs {
                *known = Some(Arc::new(authorities));
            }
            differs
        });
    }

    fn renew_server(&mut self) -> anyhow::Result<()> {
        let Some(authorities) = self.known.borrow().clone() else { return Ok(()) };
        let now = SystemTime::now();
        let due = self.credentials.as_ref().is_none_or(|own| authorities.server_renewal(own, now).is_some());
        if !due {
            return Ok(());
        }
        let own = authorities.server(now, &self.names)?;
        let material =
            TlsMaterial { certificate: &own.certificate, key: &own.key, authorities: &own.authorities };
        let current = self.server.borrow().clone();
        match current {
            Some(tls) => tls.replace(material)?,
            None => drop(self.server.send_replace(Some(Tls::new(material)?))),
        }
        self.credentials = Some(own);
        Ok(())
    }
}

fn data(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    let all = secret.data.iter().flatten();
    all.map(|(key, ByteString(bytes))| (key.clone(), bytes.clone())).collect()
}

fn secret(metadata: Option<ObjectMeta>, authorities: &Authorities) -> Secret {
    let named = || ObjectMeta { name: Some(SECRET.to_owned()), ..ObjectMeta::default() };
    let data = authorities.data().into_iter().map(|(key, bytes)| (key, ByteString(bytes)));
    Secret { metadata: metadata.unwrap_or_else(named), data: Some(data.collect()), ..Secret::default() }
}
