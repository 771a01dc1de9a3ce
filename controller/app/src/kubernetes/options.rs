//! What the arguments of `ferrule controller` mean.

use std::sync::Arc;

use anyhow::{Context, bail};
use envoy_bootstrap::Address;
use ferrule_provision::{Image, Settings};
use ferrule_xds::Options;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::admin::is_loopback;
use crate::cli::ControllerArgs;

/// A client of the API server.
pub(super) async fn client(args: &ControllerArgs) -> anyhow::Result<Client> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let config = match (&args.kubeconfig, &args.context) {
        (Some(path), _) => {
            let named = || format!("--kubeconfig {}", path.display());
            let kubeconfig = Kubeconfig::read_from(path).with_context(named)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.with_context(named)?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await?,
        (None, None) => {
            Config::infer().await.context("cannot tell where the API server is; name a --kubeconfig")?
        }
    };
    Ok(Client::try_from(config)?)
}

/// How proxies are made.
pub(super) fn settings(args: &ControllerArgs) -> anyhow::Result<Settings> {
    let mut settings = Settings::in_namespace(&args.namespace);
    if let Some(image) = &args.proxy_image {
        settings.image = image.clone();
    }
    match &args.xds_address {
        None => {}
        Some(Address::Tcp { host, port }) => {
            settings.xds.host.clone_from(host);
            settings.xds.port = *port;
        }
        Some(Address::Unix(_)) => bail!("--xds-address: proxies on other machines need host:port"),
    }
    Ok(settings)
}

/// Names in the certificate of the xDS server.
pub(super) fn server_names(settings: &Settings) -> Vec<String> {
    let name = &settings.xds.server_name;
    vec![name.clone(), format!("{name}.cluster.local")]
}

/// How xDS is served: over TLS a proxy gets what its certificate is for.
pub(super) fn xds(args: &ControllerArgs) -> anyhow::Result<Options> {
    if !args.plaintext_xds {
        if let Address::Unix(_) = args.ads {
            bail!("--ads {}: a socket has no TLS; use host:port, or --plaintext-xds", args.ads);
        }
        let group_of = |node: &ferrule_xds::Node| {
            ferrule_pki::authorize(&node.uris, &node.cluster).map_err(|denied| denied.to_string())
        };
        return Ok(Options { group_of: Arc::new(group_of), ..Options::default() });
    }
    match &args.ads {
        Address::Tcp { host, .. } if !is_loopback(host) => {
            bail!(
                "--plaintext-xds: only with --ads on a loopback address or unix:/path, for it holds secrets"
            )
        }
        _ => Ok(Options::default()),
    }
}

/// An image as `docker pull` takes it: `[registry/]repository[:tag]`.
pub(crate) fn image(text: &str) -> Result<Image, String> {
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, text),
    };
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) => (repository, tag),
        None => (rest, env!("CARGO_PKG_VERSION")),
    };
    if repository.is_empty() || tag.is_empty() || repository.contains('@') {
        return Err("is no image: [registry/]repository[:tag]".to_owned());
    }
    Ok(Image {
        registry: registry.map(str::to_owned),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        pull_policy: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_registry_where_its_first_part_is_a_host() {
        let parts = |text: &str| {
            let Image { registry, repository, tag, .. } = image(text).unwrap();
            (registry.unwrap_or_default(), repository, tag)
        };
        let expected = |registry: &str, repository: &str, tag: &str| {
            (registry.to_owned(), repository.to_owned(), tag.to_owned())
        };
        assert_eq!(parts("proxy:1"), expected("", "proxy", "1"));
        assert_eq!(parts("team/proxy:1"), expected("", "team/proxy", "1"));
        assert_eq!(parts("localhost:5000/team/proxy:1"), expected("localhost:5000", "team/proxy", "1"));
        assert_eq!(parts("r.example/proxy"), expected("r.example", "proxy", env!("CARGO_PKG_VERSION")));
        assert!(image("proxy:").is_err() && image("").is_err());
    }
}
