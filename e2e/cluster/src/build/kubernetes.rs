//! etcd, the API server and the controller manager.
//!
//! etcd is built, too: Debian's is older than what an API server needs to stream lists (`RequestWatchProgress`, etcd 3.4.25).

use super::go::{GO_1_26, Go};
use super::{kept, sources};
use crate::control_plane::Programs;

/// The version of Kubernetes.
const VERSION: &str = "1.36.3";

/// The programs, built where they are missing.
///
/// # Errors
/// The build failed; the error says how to mend it.
pub(crate) fn kubernetes() -> anyhow::Result<Programs> {
    let folder = kept(&format!("kubernetes-{VERSION}"), |work, filled| {
        let go = Go::of(GO_1_26, work)?;
        let module = work.join("module");
        sources::write(sources::KUBERNETES, &module)?;
        let version = format!("-s -w -X k8s.io/component-base/version.gitVersion=v{VERSION}");
        let output = format!("{}/", filled.display());
        go.run(&module, &["build", "-ldflags", &version, "-o", &output, "./cmd/..."])
    })?;
    Ok(Programs {
        etcd: folder.join("etcd"),
        api_server: folder.join("kube-apiserver"),
        controller_manager: folder.join("kube-controller-manager"),
    })
}
