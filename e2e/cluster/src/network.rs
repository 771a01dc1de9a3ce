//! Network namespaces and the links between them.
//!
//! Invariants:
//! - A namespace lives as long as its holder process, and that ends with this process: links and routes go with it, so
//!   nothing is left over however this process ends.
//! - Pods have no common link: each is routed through the cluster's namespace, where Services are translated, so that
//!   answers pass there too.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::addresses::Plan;
use crate::process::{self, Starter};

/// The pods' gateway: the same for each, on its own link.
const POD_GATEWAY: &str = "169.254.1.1";

/// A network namespace.
pub(crate) struct Namespace {
    holder: Child,
    id: u32,
}

impl Namespace {
    /// Makes one with these kernel parameters.
    ///
    /// # Errors
    /// There is no permission, or a parameter is refused.
    pub(crate) async fn make(starter: &Starter, parameters: &[(String, String)]) -> anyhow::Result<Self> {
        let mut arguments = vec!["hold".to_owned(), std::process::id().to_string()];
        arguments.extend(parameters.iter().map(|(name, value)| format!("{name}={value}")));
        let mut holder = starter.itself_with_own_network(&arguments).await?;
        let output = holder.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        if line.trim() != "ready" {
            bail!("a network namespace could not be made; is this run as root? See the line above");
        }
        let id = holder.id().context("the holder of a network namespace ended")?;
        Ok(Self { holder, id })
    }

    /// Its path, to join it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.id))
    }

    /// Runs `ip` commands in it, a line each.
    async fn ip(&self, commands: &str) -> anyhow::Result<()> {
        self.run(&["ip", "-batch", "-"], commands).await
    }

    /// Runs a tool in it, with `input`.
    ///
    /// # Errors
    /// The tool failed; the error quotes it.
    pub(crate) async fn run(&self, command: &[&str], input: &str) -> anyhow::Result<()> {
        let network = format!("--net={}", self.path().display());
        let arguments: Vec<&str> = std::iter::once(network.as_str()).chain(command.iter().copied()).collect();
        process::run("nsenter", &arguments, input).await.map(drop)
    }

    /// Ends it; the links in it go with it.
    pub(crate) async fn end(mut self) {
        let _ = self.holder.kill().await;
    }
}

/// Holds a network namespace until the parent ends: the body of `cluster hold PARENT NAME=VALUE...`.
///
/// # Errors
/// The parent has ended, or a kernel parameter is refused.
pub(crate) fn hold(parent: u32, parameters: &[String]) -> anyhow::Result<()> {
    crate::containment::end_with(parent)?;
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').context("a parameter without a value")?;
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        std::fs::write(&path, value).with_context(|| format!("setting the kernel parameter {name}"))?;
    }
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// Makes the cluster's namespace and the machine's link to it.
///
/// # Errors
/// `ip` failed, as without permission.
pub(crate) async fn connect_cluster(starter: &Starter, plan: Plan) -> anyhow::Result<Namespace> {
    let forward = ("net.ipv4.ip_forward".to_owned(), "1".to_owned());
    let namespace = Namespace::make(starter, &[forward]).await?;
    let (link, node, inner) = (plan.link(), plan.node(), plan.control_plane());
    // The holder of an earlier cluster in this slot may still be about to end.
    let _ = process::run("ip", &["link", "delete", &link], "").await;
    let outside = format!(
        "link add {link} type veth peer name uplink netns {id}\naddr add {node}/30 dev {link}\nlink set {link} up\n\
         route add {} via {inner}\nroute add {} via {inner}\nroute add {} via {inner}\n",
        plan.pods(),
        plan.services(),
        plan.load_balancers(),
        id = namespace.id,
    );
    process::run("ip", &["-batch", "-"], &outside).await?;
    // What no pod or Service answers for must not go round in circles.
    let inside = format!(
        "link set lo up\naddr add {inner}/30 dev uplink\nlink set uplink up\nroute add default via {node}\n\
         route add unreachable {}\nroute add unreachable {}\nroute add unreachable {}\n",
        plan.pods(),
        plan.services(),
        plan.load_balancers(),
    );
    namespace.ip(&inside).await?;
    Ok(namespace)
}

/// Makes a pod's namespace with `address`, routed through `cluster`.
///
/// # Errors
/// `ip` failed, or a kernel parameter is refused.
pub(crate) async fn connect_pod(
    starter: &Starter,
    cluster: &Namespace,
    address: Ipv4Addr,
    parameters: &[(String, String)],
) -> anyhow::Result<Namespace> {
    let pod = Namespace::make(starter, parameters).await?;
    let link = pod_link(address);
    let outside = format!(
        "link add {link} type veth peer name eth0 netns {}\naddr add {POD_GATEWAY}/32 dev {link}\nlink set {link} up\n\
         route add {address}/32 dev {link}\n",
        pod.id,
    );
    cluster.ip(&outside).await?;
    let inside = format!(
        "link set lo up\naddr add {address}/32 dev eth0\nlink set eth0 up\nroute add {POD_GATEWAY} dev eth0 scope link\n\
         route add default via {POD_GATEWAY} src {address}\n",
    );
    pod.ip(&inside).await?;
    Ok(pod)
}

/// The name of a pod's link in the cluster's namespace.
pub(crate) fn pod_link(address: Ipv4Addr) -> String {
    let [_, _, high, low] = address.octets();
    format!("pod{high}.{low}")
}
