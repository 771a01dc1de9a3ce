//! A thousand routes attach to a Gateway at once: how long it takes until their status and the Gateway's say so, and how
//! often each status is written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use kube::api::{WatchEvent, WatchParams};
use serde_json::{Value, json};

use crate::api_server::{self, ApiServer};
use crate::figure::Figure;
use crate::objects;
use crate::rig::{Rig, say};
use crate::source::Source;

const ROUTES: usize = 1_000;
/// After the last route came, the controller is quiet this soon...
const QUIET: Duration = Duration::from_secs(2);
/// ...and is watched for so long.
const WATCHED: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

/// What the API server told of the objects.
#[derive(Default)]
struct Told {
    /// Status writes by object.
    writes: HashMap<String, usize>,
    accepted: usize,
    attached: i64,
    /// When the last status came.
    last: Option<Instant>,
}

/// Attaches the routes and gives the figures.
///
/// # Errors
/// The routes are never accepted.
pub(crate) fn run(rig: &mut Rig<ApiServer>) -> Result<Vec<Figure>> {
    let gateway = objects::named_gateway("attach", 80);
    rig.source.put(std::slice::from_ref(&gateway))?;
    let before = wait_for_status(&rig.source, &gateway)?;
    let told = Arc::new(Mutex::new(Told::default()));
    let route = objects::route_of("attach", 0);
    for (kind, since) in [(&gateway, &before), (&route, &before)] {
        follow(&rig.source, kind, since, Arc::clone(&told))?;
    }
    let routes: Vec<Value> = (0..ROUTES).map(|number| objects::route_of("attach", number)).collect();
    rig.source.put(&routes)?;
    let created = Instant::now();
    let settled = settle(&told, created)?;
    std::thread::sleep(QUIET.saturating_sub(created.elapsed()));
    let (begun, used) = (Instant::now(), rig.cpu()?);
    std::thread::sleep(WATCHED);
    let cores = (rig.cpu()?[0] - used[0]).as_secs_f64() / begun.elapsed().as_secs_f64();
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let of_gateway = told.writes.get("attach").copied().unwrap_or_default();
    let of_routes = told.writes.iter().filter(|(name, _)| *name != "attach").map(|(_, count)| *count);
    let most = of_routes.max().unwrap_or_default();
    let last = told.last.map(|last| last.saturating_duration_since(created).as_secs_f64());
    say(&json!({"what": "attach", "settled_s": settled.as_secs_f64(), "gateway_writes": of_gateway,
        "most_writes_of_a_route": most, "last_write_s": last, "cores_later": cores}));
    let budget = |name: &str, ours: f64, budget: f64, unit| {
        Figure::budget(format!("control-plane/attach-1000-{name}"), ours, budget, unit)
    };
    Ok(vec![
        budget("settled", settled.as_secs_f64(), 1.0, "s"),
        budget("gateway-writes", of_gateway as f64, 10.0, ""),
        budget("route-writes", most as f64, 1.0, ""),
        budget("last-write", last.unwrap_or_default(), QUIET.as_secs_f64(), "s"),
        budget("controller-later", cores, 0.01, "cores"),
    ])
}

/// Its version, once it has a status.
fn wait_for_status(source: &ApiServer, object: &Value) -> Result<String> {
    let begun = Instant::now();
    loop {
        let now = source.get(object)?;
        let conditions = now["status"]["conditions"].as_array();
        if conditions
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Accepted" && one["status"] == "True"))
        {
            // What follows at once is not of the routes.
            std::thread::sleep(Duration::from_secs(1));
            let version = source.get(object)?["metadata"]["resourceVersion"].clone();
            return Ok(version.as_str().unwrap_or_default().to_owned());
        }
        if begun.elapsed() > PATIENCE {
            bail!("the Gateway has no status: {now}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Counts what is written of the kind of an object from a version on.
fn follow(source: &ApiServer, object: &Value, since: &str, told: Arc<Mutex<Told>>) -> Result<()> {
    let (api, mut since) = (api_server::api(&source.client, object)?, since.to_owned());
    source.runtime.spawn(async move {
        // An API server ends the watch of one who does not keep up.
        loop {
            let Ok(events) = api.watch(&WatchParams::default(), &since).await else { return };
            let mut events = events.boxed();
            while let Some(Ok(event)) = events.next().await {
                let (WatchEvent::Added(object) | WatchEvent::Modified(object)) = &event else { continue };
                since = object.metadata.resource_version.clone().unwrap_or_default();
                if let (WatchEvent::Modified(_), Some(name)) = (&event, &object.metadata.name) {
                    told.lock().unwrap_or_else(PoisonError::into_inner).note(name, &object.data["status"]);
                }
            }
        }
    });
    Ok(())
}

impl Told {
    fn note(&mut self, name: &str, status: &Value) {
        if name != "attach" && !name.starts_with("attach-") {
            return;
        }
        if let Some(attached) = status["listeners"][0]["attachedRoutes"].as_i64() {
            self.attached = attached;
        }
        let accepted = &status["parents"][0]["conditions"][0];
        let writes = self.writes.entry(name.to_owned()).or_default();
        *writes += 1;
        if *writes == 1 && accepted["type"] == "Accepted" && accepted["status"] == "True" {
            self.accepted += 1;
        }
        self.last = Some(Instant::now());
    }
}

/// How long after `created` all was told.
fn settle(told: &Mutex<Told>, created: Instant) -> Result<Duration> {
    loop {
        {
            let told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.accepted == ROUTES && told.attached == ROUTES as i64 {
                return Ok(told.last.map_or(Duration::ZERO, |last| last.saturating_duration_since(created)));
            }
            if created.elapsed() > PATIENCE {
                bail!(
                    "{} accepted, {} attached, {} written",
                    told.accepted,
                    told.attached,
                    told.writes.len()
                );
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
