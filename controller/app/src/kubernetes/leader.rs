//! Who of several controllers writes: the one that holds a Lease. Every one of them serves proxies.
//!
//! Invariants: times of other machines are never compared with ours. A lease counts as abandoned once it has not changed
//! for its duration, by our own clock; its holder gives up earlier than that, by its own.

use std::time::{Duration, SystemTime};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Identity;

/// Name of the Lease.
pub(crate) const LEASE: &str = "ferrule-leader";
/// How long others wait for a holder that says nothing.
const DURATION: Duration = Duration::from_secs(15);
/// When a holder that cannot renew gives up.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the lease is looked at.
const REGULAR: Duration = Duration::from_secs(2);
/// Longest time that a request for it may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is to be done about the lease.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// It is someone else's.
    Wait,
    /// There is none.
    Create(LeaseSpec),
    /// Ours to renew, or abandoned.
    Replace(LeaseSpec),
}

/// One controller's view of the lease.
#[derive(Debug)]
struct Election {
    identity: Identity,
    /// What was last seen, and since when.
    seen: Option<(LeaseSpec, Instant)>,
    renewed: Option<Instant>,
}

impl Election {
    fn new(identity: Identity) -> Self {
        Self { identity, seen: None, renewed: None }
    }

    fn step(&mut self, found: Option<&LeaseSpec>, now: Instant, stamp: Option<MicroTime>) -> Step {
        let Some(found) = found else { return Step::Create(self.claim(None, stamp)) };
        let since = match &self.seen {
            Some((seen, since)) if seen == found => *since,
            _ => now,
        };
        self.seen = Some((found.clone(), since));
        let holder = found.holder_identity.as_deref().unwrap_or_default();
        let seconds = found.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(DURATION, Duration::from_secs);
        let is_ours = holder == self.identity.0.as_ref();
        if is_ours || holder.is_empty() || now.duration_since(since) >= duration {
            Step::Replace(self.claim(Some(found), stamp))
        } else {
            self.renewed = None;
            Step::Wait
        }
    }

    fn claim(&self, found: Option<&LeaseSpec>, stamp: Option<MicroTime>) -> LeaseSpec {
        let kept = found.filter(|found| found.holder_identity.as_deref() == Some(&self.identity.0));
        let transitions = found.and_then(|found| found.lease_transitions).unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.identity.to_string()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: kept.map_or(stamp.clone(), |kept| kept.acquire_time.clone()),
            renew_time: stamp,
            lease_transitions: Some(transitions + i32::from(kept.is_none() && found.is_some())),
            ..LeaseSpec::default()
        }
    }

    /// Notes that the lease was written by us, by a request made at `asked`.
    fn won(&mut self, written: LeaseSpec, asked: Instant) {
        self.seen = Some((written, asked));
        self.renewed = Some(asked);
    }

    fn lost(&mut self) {
        self.renewed = None;
    }

    fn is_leader(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|renewed| now.duration_since(renewed) < DEADLINE)
    }
}

/// Takes part until `stop`; says whether we lead through `leading`. Gives the lease back at the end.
pub(crate) async fn take_part(
    client: Client,
    namespace: &str,
    identity: Identity,
    leading: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let leases: Api<Lease> = Api::namespaced(client, namespace);
    let mut election = Election::new(identity);
    let mut failing = false;
    loop {
        match tokio::time::timeout(PATIENCE, turn(&leases, &mut election)).await {
            Ok(Ok(())) => failing = false,
            Ok(Err(error)) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!("Lease {namespace}/{LEASE}: {error}; trying again");
            }
            Ok(Err(_)) | Err(_) => {}
        }
        announce(&leading, election.is_leader(Instant::now()), namespace);
        tokio::select! {
            () = tokio::time::sleep(REGULAR) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    announce(&leading, false, namespace);
    let _ = tokio::time::timeout(PATIENCE, give_back(&leases, &election)).await;
}

fn announce(leading: &watch::Sender<bool>, now: bool, namespace: &str) {
    // Whoever is told looks at everything, so nobody is told of what stays as it is.
    if leading.send_if_modified(|leads| std::mem::replace(leads, now) != now) {
        let what =
            if now { "this controller writes status from now on" } else { "another one is to write status" };
        tracing::info!("Lease {namespace}/{LEASE}: {what}");
    }
}

/// Looks at the lease, and creates, renews or takes it over.
async fn turn(leases: &Api<Lease>, election: &mut Election) -> Result<(), kube::Error> {
    let found = leases.get_opt(LEASE).await?;
    let asked = Instant::now();
    let stamp = Timestamp::try_from(SystemTime::now()).ok().map(MicroTime);
    let empty = LeaseSpec::default();
    let spec = found.as_ref().map(|lease| lease.spec.as_ref().unwrap_or(&empty));
    let params = PostParams::default();
    let written = match election.step(spec, asked, stamp) {
        Step::Wait => return Ok(()),
        Step::Create(spec) => {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            leases.create(&params, &Lease { metadata, spec: Some(spec) }).await
        }
        Step::Replace(spec) => {
            let metadata = found.map(|lease| lease.metadata).unwrap_or_default();
            leases.replace(LEASE, &params, &Lease { metadata, spec: Some(spec) }).await
        }
    };
    match written {
        Ok(lease) => {
            election.won(lease.spec.unwrap_or_default(), asked);
            Ok(())
        }
        // Another one was quicker.
        Err(kube::Error::Api(status)) if matches!(status.code, 409) => {
            election.lost();
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// So that another controller need not wait.
async fn give_back(leases: &Api<Lease>, election: &Election) -> Result<(), kube::Error> {
    let Some(mut lease) = leases.get_opt(LEASE).await? else { return Ok(()) };
    let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
    if spec.holder_identity.as_deref() == Some(&election.identity.0) {
        spec.holder_identity = Some(String::new());
        leases.replace(LEASE, &PostParams::default(), &lease).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a clock of its own.
    struct Machine {
        election: Election,
        /// How far its wall clock is off.
        skew: i64,
    }

    impl Machine {
        fn new(name: &str, skew: i64) -> Self {
            Self { election: Election::new(Identity(name.into())), skew }
        }

        /// One turn at `now`; what another wrote since it looked makes its own write fail.
        fn turn(&mut self, lease: &mut Option<LeaseSpec>, now: Instant, second: i64) {
            let stamp = Timestamp::from_second(1_800_000_000 + second + self.skew).ok().map(MicroTime);
            match self.election.step(lease.as_ref(), now, stamp) {
                Step::Wait => {}
                Step::Create(spec) | Step::Replace(spec) => {
                    *lease = Some(spec.clone());
                    self.election.won(spec, now);
                }
            }
        }
    }

    fn holder(lease: &Option<LeaseSpec>) -> &str {
        lease.as_ref().and_then(|lease| lease.holder_identity.as_deref()).unwrap_or_default()
    }

    #[test]
    fn one_of_two_leads_however_wrong_their_clocks_are() {
        for skew in [0, -86_400, 86_400] {
            let start = Instant::now();
            let (mut a, mut b) = (Machine::new("a", 0), Machine::new("b", skew));
            let mut lease = None;
            for second in (0..120).step_by(2) {
                let now = start + Duration::from_secs(second);
                // From the 40th second on, a is cut off.
                if second < 40 {
                    a.turn(&mut lease, now, second as i64);
                }
                b.turn(&mut lease, now, second as i64);
                assert!(
                    !(a.election.is_leader(now) && b.election.is_leader(now)),
                    "second {second}, skew {skew}"
                );
                assert_eq!(
                    holder(&lease),
                    if second < 54 { "a" } else { "b" },
                    "second {second}, skew {skew}"
                );
            }
            assert_eq!(lease.unwrap().lease_transitions, Some(1));
        }
    }

    #[test]
    fn a_holder_that_cannot_renew_gives_up_before_others_take_over() {
        let start = Instant::now();
        let mut a = Machine::new("a", 0);
        a.turn(&mut None, start, 0);
        assert!(a.election.is_leader(start + Duration::from_secs(9)));
        assert!(!a.election.is_leader(start + DEADLINE));
        assert!(DEADLINE + REGULAR < DURATION);
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once() {
        let start = Instant::now();
        let (mut a, mut b) = (Machine::new("a", 0), Machine::new("b", 0));
        let mut lease = None;
        a.turn(&mut lease, start, 0);
        b.turn(&mut lease, start, 0);
        assert_eq!(holder(&lease), "a");
        lease.as_mut().unwrap().holder_identity = Some(String::new());
        b.turn(&mut lease, start, 1);
        assert_eq!(holder(&lease), "b");
    }

    #[test]
    fn a_lease_that_is_renewed_is_no_news() {
        let (leading, mut told) = watch::channel(false);
        announce(&leading, true, "d");
        assert!(told.has_changed().unwrap() && *told.borrow_and_update());
        announce(&leading, true, "d");
        assert!(!told.has_changed().unwrap());
        announce(&leading, false, "d");
        assert!(told.has_changed().unwrap());
    }

    #[test]
    fn who_lost_the_lease_to_another_stops_leading() {
        let start = Instant::now();
        let mut a = Machine::new("a", 0);
        let mut lease = None;
        a.turn(&mut lease, start, 0);
        lease.as_mut().unwrap().holder_identity = Some("b".into());
        a.turn(&mut lease, start, 2);
        assert!(!a.election.is_leader(start));
    }
}
