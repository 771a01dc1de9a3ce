//! Which kinds the API server serves, and in which version: of those that mean the same to us the first it has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferrule_translate::{KINDS, Kind};
use kube::Client;
use kube::api::ApiResource;
use tokio::sync::{mpsc, watch};

use super::definitions::Definitions;
use super::watch::Pauses;

/// How often what is missing is asked for.
const REGULAR: Duration = Duration::from_secs(30);
/// When what has just been defined may be served: not at once.
const SOON: [Duration; 4] =
    [Duration::from_millis(300), Duration::from_millis(700), Duration::from_secs(2), Duration::from_secs(5)];

/// The kinds of [`KINDS`] by their place in it, as far as they are served.
pub(crate) type Served = BTreeMap<usize, ApiResource>;

/// Asks at once, whenever definitions change, and regularly while something is `missing`; until nobody listens.
pub(crate) async fn follow(
    client: Client,
    mut definitions: watch::Receiver<Definitions>,
    mut missing: watch::Receiver<bool>,
    tell: mpsc::Sender<Served>,
) {
    let mut soon = Vec::new();
    while tell.send(insist(&client).await).await.is_ok() {
        let is_missing = *missing.borrow_and_update();
        let pause = soon.pop().or(is_missing.then_some(REGULAR));
        tokio::select! {
            Ok(()) = definitions.changed() => {
                soon = SOON.into_iter().rev().collect();
                tokio::time::sleep(SOON[0]).await;
            }
            Ok(()) = missing.changed() => {}
            () = sleep(pause) => {}
            else => return,
        }
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// Asks until there is an answer.
async fn insist(client: &Client) -> Served {
    let mut pauses = Pauses::default();
    let mut failed = false;
    loop {
        match served(client).await {
            Ok(served) => return served,
            Err(error) if !std::mem::replace(&mut failed, true) => {
                tracing::warn!(
                    "cannot ask the API server for the kinds that it serves: {error}; trying again"
                );
            }
            Err(_) => {}
        }
        tokio::time::sleep(pauses.next()).await;
    }
}

/// Asks for every version of every group that is read.
///
/// # Errors
/// The API server does not answer, or not so that it can be told what it serves.
async fn served(client: &Client) -> Result<Served, kube::Error> {
    let mut plurals = BTreeSet::new();
    for (group, version) in versions() {
        let listed = match group {
            "" => client.list_core_api_resources(version).await,
            _ => client.list_api_group_resources(&format!("{group}/{version}")).await,
        };
        match listed {
            Ok(list) => plurals.extend(list.resources.into_iter().map(|one| (group, version, one.name))),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(choose(|kind, version| plurals.contains(&(kind.group, version, kind.plural.to_owned()))))
}

fn versions() -> BTreeSet<(&'static str, &'static str)> {
    KINDS.iter().flat_map(|kind| kind.versions.iter().map(|version| (kind.group, *version))).collect()
}

fn choose(is_served: impl Fn(&Kind, &'static str) -> bool) -> Served {
    let chosen = |kind: &Kind| {
        let version = kind.versions.iter().find(|version| is_served(kind, version))?;
        Some(resource(kind, version))
    };
    KINDS.iter().enumerate().filter_map(|(place, kind)| Some((place, chosen(kind)?))).collect()
}

/// A kind in one of its versions, for requests.
pub(crate) fn resource(kind: &Kind, version: &str) -> ApiResource {
    let api_version =
        if kind.group.is_empty() { version.to_owned() } else { format!("{}/{version}", kind.group) };
    ApiResource {
        group: kind.group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.name.to_owned(),
        plural: kind.plural.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_that_is_served_is_chosen() {
        let version_of = |name: &str, versions: &[&str]| {
            let served = choose(|kind, version| kind.name == name && versions.contains(&version));
            served.into_values().next().map(|resource| resource.version)
        };
        assert_eq!(version_of("HTTPRoute", &["v1beta1", "v1"]).as_deref(), Some("v1"));
        assert_eq!(version_of("HTTPRoute", &["v1beta1"]).as_deref(), Some("v1beta1"));
        assert_eq!(version_of("HTTPRoute", &["v9"]), None);
    }
}
