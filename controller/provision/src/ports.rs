//! Ports that listeners need.

use std::collections::BTreeSet;

use ferrule_translate::api::gateway::Listener;

use crate::config::ADMIN_PORT;
use crate::defaults::{READINESS_PORT, STATS_PORT};

/// What runs below a listener's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// As Kubernetes calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// What a listener of that protocol needs; `None` where the protocol is not known.
    #[must_use]
    pub fn of(protocol: &str) -> Option<Self> {
        match protocol {
            "HTTP" | "HTTPS" | "TLS" | "TCP" | "HTTP2" | "H2C" | "WSS" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            _ => None,
        }
    }
}

/// TCP ports that a proxy needs itself, and what for: no listener can have them.
#[must_use]
pub fn reserved_ports() -> [(u16, &'static str); 3] {
    [
        (READINESS_PORT, "it says there whether it serves"),
        (STATS_PORT, "statistics"),
        (ADMIN_PORT, "the admin interface of Envoy"),
    ]
}

/// A port that a proxy is reached on. TCP and UDP have one each of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerPort {
    /// 1 to 65535.
    pub port: u16,
    /// What runs on it.
    pub transport: Transport,
}

/// The ports of listeners, without those that cannot be served: of no number or of an unknown protocol.
pub fn listener_ports<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> BTreeSet<ListenerPort> {
    let port = |listener: &Listener| {
        let transport = Transport::of(&listener.protocol)?;
        (listener.port != 0).then_some(ListenerPort { port: listener.port, transport })
    };
    listeners.into_iter().filter_map(port).collect()
}
