//! What a pod's containers are doing, as its worker sees it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Now.
pub(super) fn now() -> Time {
    Time(Timestamp::now())
}

/// The state of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct PodState {
    /// Its address, once it has one.
    pub(crate) address: Option<Ipv4Addr>,
    /// When its worker began.
    pub(crate) started: Option<Time>,
    /// Its containers and init containers by name.
    pub(crate) containers: BTreeMap<String, ContainerState>,
    /// Whether it has been told to end.
    pub(crate) ending: bool,
}

/// The state of a container.
#[derive(Clone, Debug)]
pub(super) struct ContainerState {
    /// What it does now.
    pub(crate) now: Activity,
    /// How its last run ended.
    pub(crate) last: Option<Ended>,
    /// How often it was started again.
    pub(crate) restarts: i32,
    /// Its readiness probe says yes, or it has none.
    pub(crate) ready: bool,
    /// Its startup probe has said yes, or it has none.
    pub(crate) started: bool,
}

/// What a container does.
#[derive(Clone, Debug)]
pub(super) enum Activity {
    /// It is not started yet, or not again.
    Waiting {
        /// A word, as Kubernetes has it.
        reason: &'static str,
        /// What is waited for.
        message: String,
    },
    /// It runs.
    Running {
        /// The process.
        id: u32,
        /// Since when.
        since: Time,
    },
    /// It has ended and is not started again.
    Ended(Ended),
}

/// The end of a container's run.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// The process.
    pub(crate) id: u32,
    /// Its exit code; 128 and the signal where one ended it.
    pub(crate) code: i32,
    /// When it began.
    pub(crate) began: Time,
    /// When it ended.
    pub(crate) ended: Time,
}

impl Default for ContainerState {
    fn default() -> Self {
        let now = Activity::Waiting { reason: "ContainerCreating", message: String::new() };
        Self { now, last: None, restarts: 0, ready: false, started: false }
    }
}
