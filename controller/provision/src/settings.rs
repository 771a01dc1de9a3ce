//! What the operator decides about proxies.

use std::str::FromStr;

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

impl FromStr for Image {
    type Err = String;

    /// Reads an image as `docker pull` takes it: `[registry/]repository[:tag]`; the tag is our own version by default.
    fn from_str(text: &str) -> Result<Self, String> {
        let (registry, rest) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, text),
        };
        let (repository, tag) = rest.rsplit_once(':').unwrap_or((rest, env!("CARGO_PKG_VERSION")));
        if repository.is_empty() || tag.is_empty() || repository.contains('@') {
            return Err("is no image: [registry/]repository[:tag]".to_owned());
        }
        let registry = registry.map(str::to_owned);
        Ok(Self { registry, repository: repository.to_owned(), tag: tag.to_owned(), pull_policy: None })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_registry_where_its_first_part_is_a_host() {
        let parts = |text: &str| {
            let Image { registry, repository, tag, .. } = text.parse().unwrap();
            (registry.unwrap_or_default(), repository, tag)
        };
        let expected = |registry: &str, repository: &str, tag: &str| {
            (registry.to_owned(), repository.to_owned(), tag.to_owned())
        };
        assert_eq!(parts("proxy:1"), expected("", "proxy", "1"));
        assert_eq!(parts("team/proxy:1"), expected("", "team/proxy", "1"));
        assert_eq!(parts("localhost:5000/team/proxy:1"), expected("localhost:5000", "team/proxy", "1"));
        assert_eq!(parts("r.example/proxy"), expected("r.example", "proxy", env!("CARGO_PKG_VERSION")));
        assert!("proxy:".parse::<Image>().is_err() && "".parse::<Image>().is_err());
    }
}
