//! Compiles the `.proto` files that the `envoy-types` package ships into one descriptor set.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the translator emits; their imports come along.
const FILES: &[&str] = &[
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/config/route/v3/scoped_route.proto",
    "envoy/extensions/compression/brotli/decompressor/v3/brotli.proto",
    "envoy/extensions/compression/gzip/decompressor/v3/gzip.proto",
    "envoy/extensions/compression/zstd/decompressor/v3/zstd.proto",
    "envoy/extensions/filters/http/cors/v3/cors.proto",
    "envoy/extensions/filters/http/decompressor/v3/decompressor.proto",
    "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto",
    "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto",
    "envoy/extensions/filters/http/set_metadata/v3/set_metadata.proto",
    "envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/filters/udp/udp_proxy/v3/route.proto",
    "envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.proto",
    "envoy/extensions/http/early_header_mutation/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/http/stateful_session/cookie/v3/cookie.proto",
    "envoy/extensions/http/stateful_session/header/v3/header.proto",
    "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
    "envoy/extensions/transport_sockets/tls/v3/secret.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "google/protobuf/empty.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let protos = envoy_types()?.join("proto");
    let includes = roots(&protos)?;
    // Encoded by the compiler, because the types of `prost` lose the options that tell what is sensitive.
    let mut compiler = protox::Compiler::new(includes)?;
    let set = compiler.include_imports(true).open_files(FILES)?.encode_file_descriptor_set();
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), set)?;
    Ok(())
}

fn envoy_types() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").ok_or("no CARGO")?;
    // Of other platforms' packages not even the manifests need be there.
    let platform = std::env::var("HOST")?;
    let arguments = ["metadata", "--format-version=1", "--offline", "--filter-platform", &platform];
    let output = Command::new(cargo).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("no packages")?;
    let manifest =
        packages.iter().find(|package| package["name"] == "envoy-types").ok_or("no envoy-types")?;
    let manifest = Path::new(manifest["manifest_path"].as_str().ok_or("no manifest_path")?);
    Ok(manifest.parent().ok_or("no folder")?.to_owned())
}

/// Each project's `.proto` files have a root of their own.
fn roots(protos: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut roots = Vec::new();
    for entry in std::fs::read_dir(protos)? {
        let root = entry?.path();
        let inner =
            ["proto", "api"].map(|folder| root.join(folder)).into_iter().filter(|folder| folder.is_dir());
        roots.extend(inner);
        roots.push(root);
    }
    roots.sort();
    Ok(roots)
}
