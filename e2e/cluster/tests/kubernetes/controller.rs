//! A controller as a process of this machine, which tests kill, stop and start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{PROGRAM, Stage, eventually};

/// The controller's own namespace.
pub(crate) const NAMESPACE: &str = "ferrule-system";

/// The account of `controller/deploy/base`.
pub(crate) const ACCOUNT: &str = "system:serviceaccount:ferrule-system:ferrule";

/// Where proxies find the controller.
pub(crate) const XDS_PORT: u16 = 18000;

/// A controller; it ends with this value.
pub(crate) struct Controller {
    child: Child,
    folder: TempDir,
}

/// Applies the definitions of our kinds, the namespace and the class.
pub(crate) async fn prepare(stage: &Stage) {
    let definitions = Command::new(program()).arg("crds").output().unwrap().stdout;
    stage.apply(&String::from_utf8(definitions).unwrap()).await;
    stage
        .apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}\n---\n\
             apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: ferrule}}\n\
             spec: {{controllerName: ferrule.dev/gateway-controller}}\n"
        ))
        .await;
}

/// The program.
pub(crate) fn program() -> PathBuf {
    Path::new(PROGRAM).with_file_name("ferrule")
}

impl Controller {
    /// Starts one for a cluster that is prepared.
    pub(crate) fn start(stage: &Stage) -> Self {
        Self::named(stage, "first", XDS_PORT)
    }

    /// Starts one of a name; only that at [`XDS_PORT`] is found by proxies.
    pub(crate) fn named(stage: &Stage, name: &str, port: u16) -> Self {
        let node = stage.cluster.node();
        let flags = ["--identity", name, "--ads", &format!("{node}:{port}")];
        Self::launch(stage, stage.cluster.kubeconfig(), &flags)
    }

    /// Starts one with further `flags` that may do only what its ServiceAccount may.
    pub(crate) fn with_rights_of_its_account(stage: &Stage, flags: &[&str]) -> Self {
        let text = std::fs::read_to_string(stage.cluster.kubeconfig()).unwrap();
        let mut kubeconfig: Value = serde_json::from_str(&text).unwrap();
        kubeconfig["users"][0]["user"]["as"] = ACCOUNT.into();
        let path = stage.cluster.kubeconfig().with_file_name("account.kubeconfig");
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        let address = format!("{}:{XDS_PORT}", stage.cluster.node());
        Self::launch(stage, &path, &[&["--identity", "first", "--ads", &address], flags].concat())
    }

    fn launch(stage: &Stage, kubeconfig: &Path, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let node = stage.cluster.node();
        // It ends with the thread that starts it, which is the test's.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program()).arg("controller").args(flags);
        command.arg("--kubeconfig").arg(kubeconfig).args(["--namespace", NAMESPACE]);
        command.args(["--xds-address", &format!("{node}:{XDS_PORT}")]);
        command.args(["--admin", &format!("unix:{}", folder.path().join("admin").display())]);
        command.env("RUST_LOG", "info").stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Self { child: command.spawn().unwrap(), folder }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// What it has for proxies, by Gateway; null before it has anything.
    pub(crate) fn config(&self) -> Value {
        let admin = self.folder.path().join("admin");
        let told = Command::new("curl")
            .args(["--silent", "--unix-socket"])
            .arg(admin)
            .arg("http://controller/config")
            .output();
        serde_json::from_slice(&told.unwrap().stdout).unwrap_or_default()
    }

    /// Waits until it has said `text`.
    pub(crate) async fn says(&self, text: &str) {
        eventually(&format!("the controller says {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the controller's log:\n{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
