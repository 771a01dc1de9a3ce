//! The way to the controller: the cluster that delta ADS goes through, and its TLS.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Address;

/// Name of the cluster that leads to the controller.
pub const XDS_CLUSTER: &str = "xds_cluster";

/// Mutual TLS towards the controller, with a certificate that is replaced while Envoy runs.
///
/// Envoy learns of certificates by SDS, from two small files that name the PEM files ([`XdsTls::files`]), because of
/// what is configured in any other way it takes no second version. It reads the PEM files again whenever something is
/// moved into their folder, which is how a kubelet updates a mounted Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdsTls {
    /// Folder with `tls.crt`, `tls.key` and `ca.crt`.
    pub credentials: PathBuf,
    /// Folder with [`XdsTls::files`].
    pub sds: PathBuf,
    /// DNS name that the controller's certificate must have.
    pub server_name: String,
}

const CERTIFICATE: &str = "xds-certificate";
const AUTHORITY: &str = "xds-authority";
const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

impl XdsTls {
    /// The files that [`XdsTls::sds`] has to hold: names and contents.
    pub fn files(&self) -> [(String, String); 2] {
        let watched = json!({"path": self.credentials});
        let pem = |name: &str| json!({"filename": self.credentials.join(name)});
        let certificate = json!({"tls_certificate": {
            "certificate_chain": pem("tls.crt"),
            "private_key": pem("tls.key"),
            "watched_directory": watched,
        }});
        let authority =
            json!({"validation_context": {"trusted_ca": pem("ca.crt"), "watched_directory": watched}});
        [(CERTIFICATE, certificate), (AUTHORITY, authority)].map(|(name, mut secret)| {
            secret["@type"] = SECRET.into();
            secret["name"] = name.into();
            (file_name(name), crate::yaml::write(&json!({"resources": [secret]})))
        })
    }

    fn transport_socket(&self) -> Value {
        let secret = |name: &str| {
            let path: &Path = &self.sds.join(file_name(name));
            let source = json!({"path_config_source": {"path": path}, "resource_api_version": "V3"});
            json!({"name": name, "sds_config": source})
        };
        let name = json!({"san_type": "DNS", "matcher": {"exact": self.server_name}});
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": self.server_name,
                "common_tls_context": {
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                    "alpn_protocols": ["h2"],
                    "tls_certificate_sds_secret_configs": [secret(CERTIFICATE)],
                    "combined_validation_context": {
                        "default_validation_context": {"match_typed_subject_alt_names": [name]},
                        "validation_context_sds_secret_config": secret(AUTHORITY),
                    },
                },
            },
        })
    }
}

fn file_name(secret: &str) -> String {
    format!("{secret}.yaml")
}

/// The cluster that leads to the controller at `ads`.
pub(crate) fn cluster(ads: &Address, tls: Option<&XdsTls>) -> Value {
    let mut cluster = json!({
        "name": XDS_CLUSTER,
        "type": if ads.is_name() { "STRICT_DNS" } else { "STATIC" },
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": ads.to_envoy()}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                // A controller that vanished without a FIN is noticed by this alone.
                "explicit_http_config": {"http2_protocol_options": {
                    "connection_keepalive": {"interval": "30s", "timeout": "5s"}}},
            },
        },
    });
    if let Some(tls) = tls {
        cluster["transport_socket"] = tls.transport_socket();
    }
    cluster
}
