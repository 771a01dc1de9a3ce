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

/// What the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Classes with this controller name are ours.
    pub controller_name: String,
    /// Where filters run.
    pub filter_host: FilterHost,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            controller_name: "ferrule.dev/gateway-controller".to_owned(),
            filter_host: FilterHost::Native { module: "ferrule".to_owned() },
        }
    }
}
