//! `ListenerSet` (gateway.networking.k8s.io/v1, GEP-1713): more listeners for a Gateway.

use serde::{Deserialize, Serialize};

use super::gateway::{Listener, ListenerStatus};
use super::meta::{Condition, GATEWAY_GROUP, ObjectMeta, Unread};

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
    /// The Gateway that they are for.
    pub parent_ref: ParentGatewayReference,
    /// At least one; `ListenerEntry` has the fields of a Gateway's [`Listener`].
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// `ParentGatewayReference`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentGatewayReference {
    /// API group; Gateway API's own by default.
    #[serde(default)]
    pub group: Option<String>,
    /// Kind; `Gateway` by default.
    #[serde(default)]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace; the ListenerSet's own by default.
    #[serde(default)]
    pub namespace: Option<String>,
}

impl ParentGatewayReference {
    /// Whether this is a Gateway, which it is unless it says otherwise.
    pub fn is_gateway(&self) -> bool {
        self.group.as_deref().unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP
            && self.kind.as_deref().unwrap_or("Gateway") == "Gateway"
    }
}

/// `ListenerSetStatus`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListenerSetStatus {
    /// `Accepted`, `Programmed`.
    pub conditions: Vec<Condition>,
    /// By listener; `ListenerEntryStatus` has the fields of a [`ListenerStatus`].
    pub listeners: Vec<ListenerStatus>,
}
