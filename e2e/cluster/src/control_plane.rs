//! etcd, the API server and the controller manager, as processes in the cluster's namespace.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kube::Client;
use tokio::process::Child;

use crate::addresses::Plan;
use crate::certificates::Certificates;
use crate::containment::Containment;
use crate::network::Namespace;
use crate::process::{self, Output, SYSTEM_PATH, Starter};

/// How long a part may take until it is ready; machines under load are slow.
const READY: Duration = Duration::from_secs(120);

/// How long a part may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// Lines of a log that errors quote.
const QUOTED: usize = 15;

/// Where the programs are.
pub(crate) struct Programs {
    /// etcd.
    pub(crate) etcd: PathBuf,
    /// The API server.
    pub(crate) api_server: PathBuf,
    /// The controller manager.
    pub(crate) controller_manager: PathBuf,
}

/// What the parts share.
pub(crate) struct Site<'a> {
    /// The addresses.
    pub(crate) plan: Plan,
    /// The certificates.
    pub(crate) certificates: &'a Certificates,
    /// A folder for data and logs.
    pub(crate) folder: &'a Path,
    /// The cluster's namespace.
    pub(crate) network: &'a Namespace,
    /// Starts processes.
    pub(crate) starter: &'a Starter,
}

/// What ServiceAccounts ask for is kept in `audit.log`: that shows whether a role is what its holder needs.
const AUDIT: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  userGroups: ['system:serviceaccounts:kube-system']
- level: Metadata
  userGroups: ['system:serviceaccounts']
- level: None
";

fn audit_policy(site: &Site<'_>) -> PathBuf {
    site.folder.join("audit-policy.yaml")
}

/// The parts, in the order of their start.
pub(crate) struct ControlPlane {
    starter: Starter,
    parts: Vec<Part>,
}

/// A part of the control plane.
struct Part {
    name: &'static str,
    containment: Containment,
    log: PathBuf,
    /// `None` while it is stopped.
    child: Option<Child>,
}

impl Part {
    /// Starts it, with what it says at the end of its log.
    async fn start(&mut self, starter: &Starter) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.child = Some(starter.contain(&self.containment, Output::File(log)).await?);
        Ok(())
    }

    /// Waits until it ends; for ever while it is stopped.
    async fn end(&mut self) -> String {
        match &mut self.child {
            Some(child) => {
                format!("{} ended: {:?}", self.name, child.wait().await.map(|end| end.to_string()))
            }
            None => std::future::pending().await,
        }
    }
}

impl ControlPlane {
    /// Starts all parts and waits until the API server is ready.
    ///
    /// # Errors
    /// A part ended or was not ready in time; the error quotes its log.
    pub(crate) async fn start(programs: &Programs, site: &Site<'_>) -> anyhow::Result<(Self, Client)> {
        let mut ours = Self { starter: site.starter.clone(), parts: Vec::new() };
        std::fs::write(audit_policy(site), AUDIT).context("writing the audit policy")?;
        ours.part(site, "etcd", etcd(&programs.etcd, site)).await?;
        ours.part(site, "kube-apiserver", api_server(&programs.api_server, site)).await?;
        let kubeconfig = site.folder.join("kubeconfig");
        let server = format!("https://{}:6443", site.plan.control_plane());
        site.certificates.write_kubeconfig("admin", &server, &kubeconfig)?;
        let client = client(&kubeconfig).await?;
        ours.wait_until_ready(site, &client).await?;
        let manager = controller_manager(&programs.controller_manager, site, &server)?;
        ours.part(site, "kube-controller-manager", manager).await?;
        Ok((ours, client))
    }

    async fn part(
        &mut self,
        site: &Site<'_>,
        name: &'static str,
        command: Vec<String>,
    ) -> anyhow::Result<()> {
        let containment = Containment {
            network: Some(site.network.path()),
            command,
            environment: vec![("PATH".to_owned(), SYSTEM_PATH.to_owned())],
            ..Containment::default()
        };
        let mut part = Part { name, containment, log: log_path(site, name), child: None };
        part.start(&self.starter).await?;
        self.parts.push(part);
        Ok(())
    }

    /// Kills a part as a crash would, and leaves it stopped.
    ///
    /// # Errors
    /// There is no such part.
    pub(crate) async fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        if let Some(mut child) = self.find(name)?.child.take() {
            process::end(&mut child, Duration::ZERO).await;
        }
        Ok(())
    }

    /// Starts a part that is stopped. Clients are to find out themselves when it is ready.
    ///
    /// # Errors
    /// There is no such part, or it cannot be started.
    pub(crate) async fn resume(&mut self, name: &str) -> anyhow::Result<()> {
        let starter = self.starter.clone();
        let part = self.find(name)?;
        if part.child.is_none() { part.start(&starter).await } else { Ok(()) }
    }

    fn find(&mut self, name: &str) -> anyhow::Result<&mut Part> {
        let names: Vec<&str> = self.parts.iter().map(|part| part.name).collect();
        let unknown = format!("there is no {name} here, but {}", names.join(", "));
        self.parts.iter_mut().find(|part| part.name == name).context(unknown)
    }

    async fn wait_until_ready(&mut self, site: &Site<'_>, client: &Client) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let request = hyper::Request::get("/readyz").body(Vec::new())?;
            if client.request_text(request).await.is_ok() {
                return Ok(());
            }
            self.check_alive(site)?;
            if started.elapsed() > READY {
                bail!("the API server is not ready after {READY:?}:\n{}", quote(site, "kube-apiserver"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn check_alive(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        for Part { name, child, .. } in &mut self.parts {
            if let Some(child) = child
                && let Some(status) = child.try_wait()?
            {
                bail!("{name} ended ({status}):\n{}", quote(site, name));
            }
        }
        Ok(())
    }

    /// Waits until a part ends that is not stopped, which none should, and says which.
    pub(crate) async fn first_end(&mut self) -> String {
        let ends = self.parts.iter_mut().map(|part| Box::pin(part.end()));
        futures::future::select_all(ends).await.0
    }

    /// Ends all parts, the last first.
    pub(crate) async fn end(mut self) {
        for child in self.parts.iter_mut().rev().filter_map(|part| part.child.as_mut()) {
            process::end(child, GRACE).await;
        }
    }
}

/// A client for a kubeconfig.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
    let read = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config =
        kube::Config::from_custom_kubeconfig(read, &kube::config::KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn log_path(site: &Site<'_>, name: &str) -> PathBuf {
    site.folder.join(format!("{name}.log"))
}

fn quote(site: &Site<'_>, name: &str) -> String {
    let log = std::fs::read_to_string(log_path(site, name)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(QUOTED)..].join("\n")
}

fn command(program: &Path, flags: Vec<String>) -> Vec<String> {
    std::iter::once(program.display().to_string()).chain(flags).collect()
}

/// It listens on the namespace's loopback, which only the parts share.
fn etcd(program: &Path, site: &Site<'_>) -> Vec<String> {
    let data = site.folder.join("etcd");
    command(
        program,
        vec![
            format!("--data-dir={}", data.display()),
            "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            "--quota-backend-bytes=4294967296".to_owned(),
            "--auto-compaction-retention=5m".to_owned(),
            "--logger=zap".to_owned(),
            "--log-level=warn".to_owned(),
        ],
    )
}

fn api_server(program: &Path, site: &Site<'_>) -> Vec<String> {
    let file = |name: &str| site.certificates.path(name).display().to_string();
    command(
        program,
        vec![
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            format!("--advertise-address={}", site.plan.control_plane()),
            format!("--bind-address={}", site.plan.control_plane()),
            "--secure-port=6443".to_owned(),
            format!("--service-cluster-ip-range={}", site.plan.services()),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--tls-cert-file={}", file("api-server.crt")),
            format!("--tls-private-key-file={}", file("api-server.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--kubelet-client-certificate={}", file("api-server-to-kubelet.crt")),
            format!("--kubelet-client-key={}", file("api-server-to-kubelet.key")),
            format!("--kubelet-certificate-authority={}", file("ca.crt")),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", file("service-accounts.pub")),
            format!("--service-account-signing-key-file={}", file("service-accounts.key")),
            "--runtime-config=certificates.k8s.io/v1beta1/clustertrustbundles=true".to_owned(),
            format!("--audit-policy-file={}", audit_policy(site).display()),
            format!("--audit-log-path={}", site.folder.join("audit.log").display()),
            "--feature-gates=ClusterTrustBundle=true,ClusterTrustBundleProjection=true".to_owned(),
        ],
    )
}

/// Its clocks suit a cluster of one node that has no cloud and no heartbeat.
fn controller_manager(program: &Path, site: &Site<'_>, server: &str) -> anyhow::Result<Vec<String>> {
    let kubeconfig = site.certificates.path("controller-manager.kubeconfig");
    site.certificates
        .write_kubeconfig("controller-manager", server, &kubeconfig)
        .context("writing the controller manager's kubeconfig")?;
    let file = |name: &str| site.certificates.path(name).display().to_string();
    Ok(command(program, vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--bind-address=127.0.0.1".to_owned(),
        "--leader-elect=false".to_owned(),
        "--controllers=*,-node-lifecycle-controller,-node-ipam-controller,-horizontal-pod-autoscaler-controller".to_owned(),
        format!("--root-ca-file={}", file("ca.crt")),
        format!("--service-account-private-key-file={}", file("service-accounts.key")),
        "--concurrent-gc-syncs=5".to_owned(),
    ]))
}
