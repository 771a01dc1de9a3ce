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
    mut wanted: watch::Receiver<BTreeSet<Identity>>,
    mut tell: impl FnMut(Issues) -> bool,
) {
    let mut keeper = Keeper { source: Arc::new(source), courses: BTreeMap::new(), flights: JoinSet::new() };
    let mut told = Issues::default();
    loop {
        keeper.want(&wanted.borrow_and_update().clone(), SystemTime::now());
        let now = SystemTime::now();
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
                course.succeeded(SystemTime::now(), fetched, chance());
            }
            Err(error) => {
                tracing::warn!("AWS credentials {identity}: {error}");
                course.failed(SystemTime::now(), error, chance());
            }
        }
    }

    /// A fetch has panicked; which one shows by what is not on its way any more.
    fn broke_off(&mut self) {
        for (course, flight) in self.courses.values_mut() {
            if flight.take_if(|flight| flight.is_finished()).is_some() {
                course.failed(SystemTime::now(), "the fetch broke off".to_owned(), chance());
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
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ferrule_translate::SecretText;
    use tokio::sync::mpsc;

    use super::*;

    /// Answers with what the test says, and counts who asks at the same time.
    #[derive(Default)]
    struct Script {
        answers: Mutex<Vec<Result<Fetched, String>>>,
        asking: AtomicUsize,
        most: AtomicUsize,
    }

    struct Shared(Arc<Script>);

    impl Source for Shared {
        async fn fetch(&self, _: &Identity) -> Result<Fetched, String> {
            let now = self.0.asking.fetch_add(1, Ordering::SeqCst) + 1;
            self.0.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.0.asking.fetch_sub(1, Ordering::SeqCst);
            self.0.answers.lock().unwrap().pop().unwrap_or_else(|| Err("the script is over".to_owned()))
        }
    }

    fn fetched(text: &str) -> Result<Fetched, String> {
        let text = SecretText::new(text.as_bytes().to_vec());
        Ok(Fetched { text, expires: None, source: "script".to_owned() })
    }

    #[tokio::test]
    async fn what_is_wanted_is_fetched_again_after_failures_and_told_once_for_each_change() {
        let script = Arc::new(Script::default());
        *script.answers.lock().unwrap() = vec![fetched("second"), Err("down".to_owned())];
        let (want, wanted) = watch::channel(BTreeSet::new());
        let (news_in, mut news) = mpsc::unbounded_channel();
        let keeping =
            tokio::spawn(keep(Shared(script.clone()), wanted, move |known| news_in.send(known).is_ok()));
        want.send_replace(BTreeSet::from([Identity::Own]));
        let issue = |known: &Issues| known.get(&Identity::Own).map(|issue| (**issue).clone());
        let first = issue(&news.recv().await.unwrap()).unwrap();
        assert_eq!((first.credentials, first.error.as_deref()), (None, Some("down")));
        let second = issue(&news.recv().await.unwrap()).unwrap();
        assert_eq!(second.credentials.unwrap().bytes(), b"second");
        assert_eq!(second.error, None);
        want.send_replace(BTreeSet::new());
        assert_eq!(issue(&news.recv().await.unwrap()), None);
        assert_eq!(script.most.load(Ordering::SeqCst), 1);
        drop(want);
        keeping.await.unwrap();
    }
}
