//! How each kind of [`KINDS`] is read from an API server, and how its status is written.

use ferrule_translate::api::meta::{CERTIFICATES_GROUP, FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP};
use ferrule_translate::{KINDS, Kind};

/// How a kind is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All objects of it.
    Whole,
    /// Those that others refer to, one by one.
    ByName,
}

/// How a status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its lists are maps: what is ours is applied, and the API server keeps it apart from what others own.
    Applied,
    /// Its list of parents or ancestors is one value: it is read, changed and written back whole.
    Replaced,
}

/// How a kind is read: what may hold confidential or large texts only where it is referred to.
pub(crate) fn reading(kind: &Kind) -> Reading {
    match (kind.group, kind.name) {
        ("", "Secret" | "ConfigMap") | (CERTIFICATES_GROUP, "ClusterTrustBundle") => Reading::ByName,
        _ => Reading::Whole,
    }
}

/// How the status of a kind is written; `None` for one that has none of ours.
pub(crate) fn form(kind: &Kind) -> Option<Form> {
    if ![GATEWAY_GROUP, KGATEWAY_GROUP, FERRULE_GROUP].contains(&kind.group) {
        return None;
    }
    match kind.name {
        "ReferenceGrant" | "GatewayParameters" => None,
        "GatewayClass" | "Gateway" | "ListenerSet" | "Backend" => Some(Form::Applied),
        _ => Some(Form::Replaced),
    }
}

/// Whether a cluster without this kind lacks something that people have to install.
pub(crate) fn is_expected(kind: &Kind) -> bool {
    [GATEWAY_GROUP, KGATEWAY_GROUP, FERRULE_GROUP].contains(&kind.group)
}

/// The place of a kind in [`KINDS`].
pub(crate) fn place(group: &str, name: &str) -> Option<usize> {
    KINDS.iter().position(|kind| kind.group == group && kind.name == name)
}
