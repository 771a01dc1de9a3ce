//! Keeps the credentials of everybody who is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ferrule_translate::{Identity, Issues};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::course::{Course, Fetched};

/// A fetch that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Without anything to do, look at the clock this often: it may have been set.
const REGULAR: Duration = Duration::from_secs(60);

/// Who gives credentials out.
pub trait Source: Send + Sync + 'static {
    /// Fetches someone's credentials; an error tells no secret.
    fn fetch(&self, identity: &Identity) -> impl Future<Output = Result<Fetched, String>> + Send;
}

/// Fetches for everybody in `wanted`, and tells all that is known whenever that changes, until nobody wants to know.
pub async fn keep<S: Source>(
    source: S,
    wanted: watch::Receiver<BTreeSet<Identity>>,
    tell: impl FnMut(Issues) -> bool,
) {
    keep_by(SystemTime::now, source, wanted, tell).await;
}

/// The same by this clock.
async fn keep_by<S: Source>(
    clock: fn() -> SystemTime,
    source: S,
    mut wanted: watch::Receiver<BTreeSet<Identity>>,
    mut tell: impl FnMut(Issues) -> bool,
) {
    let (source, courses, flights) = (Arc::new(source), BTreeMap::new(), JoinSet::new());
    let mut keeper = Keeper { clock, source, courses, flights };
    let mut told = Issues::default();
    loop {
        let now = clock();
        keeper.want(&wanted.borrow_and_update().clone(), now);
        keeper.fetch(now);
        let known = keeper.known(now);
        if known != told {
            told = known.clone();
            if !tell(known) {
                return;
            }
        }
        let pause = keeper.pause(now);
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            Some(landed) = keeper.flights.join_next() => keeper.land(landed),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Keeper<S> {
    clock: fn() -> SystemTime,
    source: Arc<S>,
    courses: BTreeMap<Identity, (Course, Option<AbortHandle>)>,
    flights: JoinSet<(Identity, Result<Fetched, String>)>,
}

impl<S: Source> Keeper<S> {
    /// Forgets who is not wanted any more, and takes in who is.
    fn want(&mut self, wanted: &BTreeSet<Identity>, now: SystemTime) {
        self.courses.retain(|identity, (_, flight)| {
            let stays = wanted.contains(identity);
            if !stays {
                flight.iter().for_each(AbortHandle::abort);
            }
            stays
        });
        for identity in wanted {
            self.courses.entry(identity.clone()).or_insert_with(|| (Course::new(now), None));
        }
    }

    /// Begins the fetches that are due, one at a time for each.
    fn fetch(&mut self, now: SystemTime) {
        for (identity, (course, flight)) in &mut self.courses {
            if flight.is_some() || course.next() > now {
                continue;
            }
            let (source, identity) = (Arc::clone(&self.source), identity.clone());
            *flight = Some(self.flights.spawn(async move {
                let fetched = tokio::time::timeout(PATIENCE, source.fetch(&identity)).await;
                let fetched = fetched.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
                (identity, fetched)
            }));
        }
    }

    fn land(&mut self, landed: Result<(Identity, Result<Fetched, String>), tokio::task::JoinError>) {
        let (identity, fetched) = match landed {
            Ok(landed) => landed,
            // Nobody wants to know.
            Err(error) if error.is_cancelled() => return,
            Err(_) => return self.broke_off(),
        };
        let Some((course, flight)) = self.courses.get_mut(&identity) else { return };
        *flight = None;
        match fetched {
            Ok(fetched) => {
                tracing::info!("AWS credentials {identity}: fetched by {}", fetched.source);
                course.succeeded((self.clock)(), fetched, chance());
            }
            Err(error) => {
                tracing::warn!("AWS credentials {identity}: {error}");
                course.failed((self.clock)(), error, chance());
            }
        }
    }

    /// A fetch has panicked; which one shows by what is not on its way any more.
    fn broke_off(&mut self) {
        for (course, flight) in self.courses.values_mut() {
            if flight.take_if(|flight| flight.is_finished()).is_some() {
                course.failed((self.clock)(), "the fetch broke off".to_owned(), chance());
            }
        }
    }

    fn known(&self, now: SystemTime) -> Issues {
        let known = self.courses.iter();
        known
            .filter_map(|(identity, (course, _))| Some((identity.clone(), Arc::new(course.issue(now)?))))
            .collect()
    }

    /// How long nothing is due. What is on its way tells by itself.
    fn pause(&self, now: SystemTime) -> Duration {
        let due = self.courses.values().filter(|(course, flight)| flight.is_none() || course.next() > now);
        let wakes = due.filter_map(|(course, _)| course.wake(now).duration_since(now).ok());
        wakes.min().unwrap_or(REGULAR).min(REGULAR)
    }
}

/// From 0 to 1. Without a source of chance, the middle.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |drawn| f64::from(drawn) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
