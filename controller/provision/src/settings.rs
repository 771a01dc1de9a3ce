//! What the operator decides about proxies.

/// A container image, as far as parameters do not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Registry, where there is one.
    pub registry: Option<String>,
    /// Name.
    pub repository: String,
    /// Tag.
    pub tag: String,
    /// `Always`, `IfNotPresent` or `Never`; Kubernetes' default where it is `None`.
    pub pull_policy: Option<String>,
}

/// Where proxies find the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdsTarget {
    /// IP address or DNS name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// DNS name in the controller's certificate.
    pub server_name: String,
}

/// What the operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Image of proxies.
    pub image: Image,
    /// Where they find the controller.
    pub xds: XdsTarget,
}

impl Settings {
    /// A controller that is installed as `ferrule` in `namespace`.
    #[must_use]
    pub fn in_namespace(namespace: &str) -> Self {
        let host = format!("ferrule.{namespace}.svc");
        Self {
            image: Image {
                registry: None,
                repository: "ferrule-proxy".to_owned(),
                tag: env!("CARGO_PKG_VERSION").to_owned(),
                pull_policy: None,
            },
            xds: XdsTarget { server_name: host.clone(), host, port: 18000 },
        }
    }
}
