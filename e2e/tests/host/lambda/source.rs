//! Where Envoy gets the secret with the credentials: a file that it watches, or an xDS server.

use std::fs;
use std::path::{Path, PathBuf};

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{GenericSecret, Secret, secret};
use ferrule_xds::{Kind, Options, Resource, Server, Snapshot};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::rig::cluster;

/// The secret's name.
pub(crate) const NAME: &str = "aws";

/// A source of one secret.
pub(crate) trait Source {
    /// Makes the text the secret's, from now on.
    fn put(&self, text: &str);

    /// Envoy's `ConfigSource`.
    fn config(&self) -> Value;

    /// Says in a bootstrap where the source is.
    fn introduce(&self, _: &mut Value) {}
}

/// A file, replaced at once by another, as Envoy's watch wants it.
pub(crate) struct File {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    /// One without the secret.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.json");
        fs::write(&path, json!({"resources": []}).to_string()).unwrap();
        Self { path, _folder: folder }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Source for File {
    fn put(&self, text: &str) {
        let next = self.path.with_extension("next");
        let resource = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": NAME,
            "generic_secret": {"secret": {"inline_string": text}},
        });
        fs::write(&next, json!({"resources": [resource]}).to_string()).unwrap();
        fs::rename(&next, &self.path).unwrap();
    }

    fn config(&self) -> Value {
        json!({"path_config_source": {"path": self.path}, "resource_api_version": "V3"})
    }
}

/// A control plane that serves the secret over delta ADS.
pub(crate) struct Xds {
    server: Server,
    port: u16,
    _runtime: Runtime,
}

impl Xds {
    /// One without the secret.
    pub(crate) fn new() -> Self {
        let (runtime, (server, _)) = (Runtime::new().unwrap(), Server::new(Options::default()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = server.clone();
        runtime.spawn(async move { serving.serve_tcp(listener, std::future::pending()).await });
        Self { server, port, _runtime: runtime }
    }
}

impl Source for Xds {
    fn put(&self, text: &str) {
        let inline =
            DataSource { specifier: Some(Specifier::InlineString(text.to_owned())), ..Default::default() };
        let generic = GenericSecret { secret: Some(inline), ..Default::default() };
        let secret = Secret { name: NAME.to_owned(), r#type: Some(secret::Type::GenericSecret(generic)) };
        let snapshot: Snapshot = [(Kind::Secret, Resource::encode(NAME, &secret))].into_iter().collect();
        self.server.publish("test", snapshot);
    }

    fn config(&self) -> Value {
        json!({"ads": {}, "resource_api_version": "V3"})
    }

    fn introduce(&self, bootstrap: &mut Value) {
        let mut control = cluster("control", self.port);
        control["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }});
        bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(control);
        bootstrap["dynamic_resources"]["ads_config"] = json!({
            "api_type": "DELTA_GRPC", "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}],
        });
    }
}
