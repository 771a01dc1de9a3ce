//! What the arguments of `ferrule controller` mean.

use std::sync::Arc;

use anyhow::{Context, bail};
use envoy_bootstrap::Address;
use ferrule_provision::Settings;
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
