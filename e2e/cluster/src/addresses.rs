//! Which addresses a cluster uses: a plan for each slot, so that clusters side by side never meet.
//!
//! Invariants:
//! - The subnets of two slots are disjoint.
//! - A slot belongs to one process at a time; the kernel frees it with the process, however that ends.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, bail};

/// Clusters at once on one machine.
const SLOTS: u8 = 16;

/// Where the locks of the slots are.
const LOCKS: &str = "/run/ferrule-cluster";

/// Load balancer addresses that are handed out; what follows up to 254 is for whoever asks for one by name.
const DYNAMIC: std::ops::RangeInclusive<u8> = 1..=199;

/// An address that no cluster routes (TEST-NET-3 of RFC 5737).
pub(crate) const UNUSABLE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The addresses of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    slot: u8,
}

impl Plan {
    /// The plan of a slot.
    pub(crate) fn of_slot(slot: u8) -> Self {
        Self { slot }
    }

    /// Its number.
    pub(crate) fn slot(self) -> u8 {
        self.slot
    }

    /// The link on the machine's side.
    pub(crate) fn link(self) -> String {
        format!("ferrule{}", self.slot)
    }

    /// The machine's end of the link to the cluster: the node's address, and where DNS is served.
    pub(crate) fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 241, self.slot, 1)
    }

    /// The cluster's end of that link, where the API server listens.
    pub(crate) fn control_plane(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 241, self.slot, 2)
    }

    /// The subnet of pods.
    pub(crate) fn pods(self) -> String {
        format!("10.244.{}.0/20", self.slot * 16)
    }

    /// The address of the pod `number`; `None` when the subnet is used up.
    pub(crate) fn pod(self, number: u16) -> Option<Ipv4Addr> {
        let [high, low] = number.to_be_bytes();
        (high < 16 && number > 0).then(|| Ipv4Addr::new(10, 244, self.slot * 16 + high, low))
    }

    /// The subnet of Services' cluster addresses.
    pub(crate) fn services(self) -> String {
        format!("10.96.{}.0/20", self.slot * 16)
    }

    /// The address of the Service `kubernetes`: the API server takes the first.
    pub(crate) fn kubernetes_service(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 96, self.slot * 16, 1)
    }

    /// The subnet of load balancers.
    pub(crate) fn load_balancers(self) -> String {
        format!("10.240.{}.0/24", self.slot)
    }

    /// The load balancer addresses that are handed out.
    pub(crate) fn dynamic_load_balancers(self) -> impl Iterator<Item = Ipv4Addr> {
        DYNAMIC.map(move |last| Ipv4Addr::new(10, 240, self.slot, last))
    }

    /// Whether a load balancer may have `address` when it asks for it.
    pub(crate) fn serves_load_balancer(self, address: Ipv4Addr) -> bool {
        let [a, b, slot, last] = address.octets();
        (a, b, slot) == (10, 240, self.slot) && (1..255).contains(&last)
    }

    /// A load balancer address that is only handed out when asked for.
    pub(crate) fn static_load_balancer(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 240, self.slot, *DYNAMIC.end() + 1)
    }
}

/// A slot held by this process.
pub(crate) struct Slot {
    /// Its addresses.
    pub(crate) plan: Plan,
    _lock: File,
}

impl Slot {
    /// Takes the first free slot.
    ///
    /// # Errors
    /// All are taken, or the folder of locks cannot be written.
    pub(crate) fn take() -> anyhow::Result<Self> {
        Self::take_in(Path::new(LOCKS))
    }

    fn take_in(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for slot in 0..SLOTS {
            let path = folder.join(format!("slot-{slot}"));
            let lock = File::create(&path).with_context(|| format!("opening the lock {}", path.display()))?;
            if lock.try_lock().is_ok() {
                return Ok(Self { plan: Plan::of_slot(slot), _lock: lock });
            }
        }
        bail!("{SLOTS} clusters run on this machine already; end one of them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_slots_share_no_address() {
        let [first, last] = [0, SLOTS - 1].map(|slot| Plan { slot });
        assert_eq!((first.pods().as_str(), last.pods().as_str()), ("10.244.0.0/20", "10.244.240.0/20"));
        assert_eq!(first.pod(4095), Some(Ipv4Addr::new(10, 244, 15, 255)));
        assert_eq!((first.pod(4096), first.pod(0)), (None, None));
        assert_eq!(last.pod(1), Some(Ipv4Addr::new(10, 244, 240, 1)));
        assert_eq!(last.services(), "10.96.240.0/20");
        assert!(!first.serves_load_balancer(last.static_load_balancer()));
    }

    #[test]
    fn the_static_address_is_served_but_never_handed_out() {
        let plan = Plan { slot: 3 };
        assert!(plan.serves_load_balancer(plan.static_load_balancer()));
        assert!(plan.dynamic_load_balancers().all(|address| address != plan.static_load_balancer()));
        assert!(!plan.serves_load_balancer(UNUSABLE));
    }

    #[test]
    fn a_slot_is_free_again_when_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Slot::take_in(folder.path()).unwrap();
        let second = Slot::take_in(folder.path()).unwrap();
        assert_eq!((first.plan.slot, second.plan.slot), (0, 1));
        drop(first);
        assert_eq!(Slot::take_in(folder.path()).unwrap().plan.slot, 0);
    }
}
