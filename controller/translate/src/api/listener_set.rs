//! `ListenerSet` (gateway.networking.k8s.io/v1, GEP-1713): more listeners for a Gateway.

use serde::{Deserialize, Serialize};

use super::gateway::{Listener, ListenerStatus};
use super::meta::{Condition, ObjectMeta, Unread};
use super::reference::UsualObjectReference;

/// Listeners that stand in an object of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerSet {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: ListenerSetSpec,
    /// Not read.
    #[serde(default, skip_serializing)]
    pub status: Unread,
}

/// `ListenerSetSpec`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSetSpec {
    /// The Gateway that they are for (`ParentGatewayReference`).
    pub parent_ref: UsualObjectReference,
    /// At least one; `ListenerEntry` has the fields of a Gateway's [`Listener`].
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// `ListenerSetStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListenerSetStatus {
    /// `Accepted`, `Programmed`.
    pub conditions: Vec<Condition>,
    /// By listener; `ListenerEntryStatus` has the fields of a [`ListenerStatus`].
    pub listeners: Vec<ListenerStatus>,
}
