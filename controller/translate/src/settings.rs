//! What the operator decides about translation.

/// Where filters run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterHost {
    /// In a dynamic module of that name: `lib<name>.so` in Envoy's search path.
    Native {
        /// Name of the module.
        module: String,
    },
    /// In proxy-wasm modules.
    Wasm {
        /// Folder on the proxy's machine that has `<filter>.wasm`.
        directory: String,
    },
}

/// How the routes of a port reach a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A table for each host; what a change costs does not depend on how many there are. Takes native filters: where
    /// filters are proxy-wasm, the layout is the other one.
    #[default]
    Scoped,
    /// One table.
    PerPort,
}

/// TCP ports that proxies need themselves, and what for.
pub type ReservedPorts = std::collections::BTreeMap<u16, String>;

/// What the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Classes with this controller name are ours.
    pub controller_name: String,
    /// Where filters run.
    pub filter_host: FilterHost,
    /// How routes reach a proxy.
    pub layout: Layout,
    /// Ports that no listener can have.
    pub reserved_ports: ReservedPorts,
}

impl Settings {
    /// The module that finds the table of a request's host; `None` where there is one table a port.
    pub(crate) fn scopes(&self) -> Option<&str> {
        match (&self.filter_host, self.layout) {
            (FilterHost::Native { module }, Layout::Scoped) => Some(module),
            _ => None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            controller_name: "ferrule.dev/gateway-controller".to_owned(),
            filter_host: FilterHost::Native { module: "ferrule".to_owned() },
            layout: Layout::default(),
            reserved_ports: ReservedPorts::new(),
        }
    }
}
