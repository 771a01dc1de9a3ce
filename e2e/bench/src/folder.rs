//! The controller without proxies: thousands of routes in a folder, and one of them edited.
//!
//! Time is measured in this process, memory on a `ferrule run --no-envoy` of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use envoy_bootstrap::{Address, Admin};
use ferrule_controller::Workbench;

use crate::figure::{Figure, median, micros};
use crate::memory;

const MANY: usize = 5_000;
const FEW: usize = 500;
/// Cold starts and edits of which the middle one counts.
const ROUNDS: usize = 9;

/// Measures and compares; part of the area `control-plane`.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let (few, many) = (measure(FEW)?, measure(MANY)?);
    let folder = tempfile::tempdir()?;
    generate(folder.path(), MANY)?;
    let resident = resident(artefacts, folder.path())?;
    let a_route = |costs: &Costs, routes: usize| costs.cold() / routes as f64;
    let (of_many, of_few) = (a_route(&many, MANY), a_route(&few, FEW));
    let figure = |name: &str, goal, ours, baseline| {
        Figure::new(format!("control-plane/{name}"), goal, ours, baseline, "us")
    };
    Ok(vec![
        Figure::budget("control-plane/folder-cold-route", of_many, 200.0, "us"),
        figure("folder-one-route-change", 1.0 / 6.0, many.change, ("cold", many.cold())),
        figure("folder-growth-500-to-5000", 1.2, of_many, ("per-route-of-500", of_few)),
        Figure::budget("control-plane/folder-resident-5000", resident, 100.0, "MB"),
    ])
}

/// Medians in microseconds.
struct Costs {
    read: f64,
    translate: f64,
    /// From the look at the folder until the result is published.
    change: f64,
}

impl Costs {
    fn cold(&self) -> f64 {
        self.read + self.translate
    }
}

fn measure(routes: usize) -> Result<Costs> {
    let folder = tempfile::tempdir()?;
    generate(folder.path(), routes)?;
    let (mut reads, mut translations, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut bench = Workbench::new(folder.path())?;
        let cold = bench.refresh();
        if cold.errors > 0 || cold.objects != 2 * routes + 2 {
            bail!("{} errors in {} objects", cold.errors, cold.objects);
        }
        reads.push(micros(cold.read));
        translations.push(micros(cold.translated));
        // The stamps of files just written are not trusted, so that they would all be read again.
        std::thread::sleep(Duration::from_millis(50));
        bench.refresh();
        let edited = routes / 2 + round;
        fs::write(folder.path().join(name(edited)), route(edited, &format!("/edited-{round}")))?;
        let change = bench.refresh();
        if change.changed != 1 {
            bail!("{} objects changed by one edit", change.changed);
        }
        changes.push(micros(change.read + change.translated));
    }
    Ok(Costs { read: median(reads), translate: median(translations), change: median(changes) })
}

/// Writes a Gateway, and routes with a backend each, a file a route.
fn generate(folder: &Path, routes: usize) -> Result<()> {
    fs::write(folder.join("gateway.yaml"), GATEWAY)?;
    for number in 0..routes {
        fs::write(folder.join(name(number)), route(number, "/api"))?;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("route-{number}.yaml")
}

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: ferrule}
spec: {controllerName: ferrule.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bench}
spec:
  gatewayClassName: ferrule
  listeners:
  - {name: http, protocol: HTTP, port: 8080}
";

fn route(number: usize, path: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: route-{number}
spec:
  parentRefs:
  - name: bench
  hostnames:
  - host-{number}.example.com
  rules:
  - matches:
    - path: {{type: PathPrefix, value: {path}}}
      headers:
      - {{name: x-version, value: v{number}}}
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set:
        - {{name: x-route, value: route-{number}}}
    backendRefs:
    - {{group: gateway.kgateway.dev, kind: Backend, name: backend-{number}}}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata:
  name: backend-{number}
spec:
  type: Static
  static:
    hosts:
    - {{host: 127.0.0.1, port: 9000}}
"
    )
}

/// The memory of a controller that serves `folder`, in MB.
fn resident(artefacts: &Path, folder: &Path) -> Result<f64> {
    let sockets = tempfile::tempdir()?;
    let socket = |name: &str| Address::Unix(sockets.path().join(name));
    let mut command = Command::new(artefacts.join("release/ferrule"));
    command.args(["run", "--no-envoy", "-f"]).arg(folder);
    command.args(["--ads", &socket("xds").to_string(), "--admin", &socket("admin").to_string()]);
    let mut controller =
        Running(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().context("ferrule")?);
    let lines = BufReader::new(controller.0.stderr.take().context("no stderr")?).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("objects have a new status"));
    said.context("ferrule ended early")?;
    if !Admin::new(socket("admin")).get("/readyz")?.body.starts_with("ok") {
        bail!("ferrule is not ready");
    }
    memory::resident(controller.0.id())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended if it cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
