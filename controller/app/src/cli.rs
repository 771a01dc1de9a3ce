//! The command line.

mod cache;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use envoy_bootstrap::Address;

use crate::selection::Selection;
pub use cache::{CacheArgs, CacheCommand, InspectArgs, PurgeArgs};

/// A function gateway on stock Envoy: Gateway API and kgateway resources in, delta xDS out.
#[derive(Debug, Parser)]
#[command(name = "ferrule", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `ferrule` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a folder of manifests: watch it, program Envoy, report status
    Run(Box<RunArgs>),
    /// Serve the Gateways of a Kubernetes cluster: watch its API server, program Envoys, write status
    Controller(Box<ControllerArgs>),
    /// Print the xDS resources and the status that a folder of manifests gives; needs no Envoy
    Translate(TranslateArgs),
    /// Say what is wrong with a folder of manifests: exit code 0 nothing, 1 problems, 2 cannot tell; needs no Envoy
    Check(CheckArgs),
    /// Turn Gloo's transformations into TrafficPolicies, and say what is not the same: exit code 0 nothing worse than
    /// a warning, 1 something could not be converted, 2 something could not be read
    Convert(ConvertArgs),
    /// Try a transformation on a message: what becomes of it, and whether and why its body is held; needs no Envoy. Exit
    /// code 0 transformed, 1 it could not be or does not compile, 2 something could not be read
    Transform(TransformArgs),
    /// Try functions behind routes
    #[command(subcommand)]
    Lambda(LambdaCommand),
    /// See into the caches of a running controller's proxies, and take things out of them
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Show the objects of a running controller and their status
    Get(GetArgs),
    /// Print the CustomResourceDefinitions of gateway.kgateway.dev that a cluster needs, as YAML. Those of Gateway API are
    /// Gateway API's to give
    Crds,
}

/// The folder that objects are read from.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// Folder of manifests (*.yaml, *.yml, *.json; nested folders, too), or one file
    #[arg(short = 'f', long = "folder", value_name = "DIR", env = "FERRULE_FOLDER")]
    pub folder: PathBuf,
}

/// Which build of the filters Envoy runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Host {
    /// The dynamic module, libferrule.so
    #[default]
    Native,
    /// The proxy-wasm modules, NAME.wasm
    Wasm,
}

/// Where the filters are.
#[derive(Clone, Debug, Args)]
pub struct FilterArgs {
    /// Which build of the filters Envoy runs
    #[arg(long = "filters", value_enum, default_value_t, env = "FERRULE_FILTERS")]
    pub host: Host,
    /// The native module [default: libferrule.so beside the ferrule binary]
    #[arg(long, value_name = "FILE", env = "FERRULE_MODULE")]
    pub module: Option<PathBuf>,
    /// The folder of the wasm modules [default: the folder wasm beside the ferrule binary, or beside its folder]
    #[arg(long, value_name = "DIR", env = "FERRULE_WASM_DIR")]
    pub wasm_dir: Option<PathBuf>,
}

/// Arguments of `ferrule run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    #[command(flatten)]
    pub(crate) filters: FilterArgs,
    /// Where Envoys ask for their configuration: host:port or unix:/path [default: a private socket; with
    /// --no-envoy 127.0.0.1:18000]
    #[arg(long, value_name = "ADDRESS", env = "FERRULE_ADS")]
    pub(crate) ads: Option<Address>,
    /// Where `ferrule get` and scrapers ask: host:port on loopback, or unix:/path
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADMIN, env = "FERRULE_ADMIN")]
    pub(crate) admin: Address,
    /// Also write the status of each object to DIR/KIND.NAMESPACE.NAME.status.yaml
    #[arg(long, value_name = "DIR", env = "FERRULE_STATUS_DIR")]
    pub(crate) status_dir: Option<PathBuf>,
    /// Start no Envoy; yours connect to --ads with node.cluster NAMESPACE/GATEWAY
    #[arg(long, conflicts_with_all = ["envoy", "concurrency", "drain", "envoy_log_level"])]
    pub(crate) no_envoy: bool,
    /// The Envoy to run [default: the pinned one, fetched once]
    #[arg(long, value_name = "FILE")]
    pub(crate) envoy: Option<PathBuf>,
    /// Worker threads of each Envoy [default: one a CPU]
    #[arg(long, value_name = "N", env = "FERRULE_CONCURRENCY", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: Option<u32>,
    /// How long open requests may take to end when Envoy is stopped
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, env = "FERRULE_DRAIN")]
    pub(crate) drain: Duration,
    /// Envoy's log level
    #[arg(long, value_name = "LEVEL", default_value = "warning", env = "FERRULE_ENVOY_LOG_LEVEL",
        value_parser = ["trace", "debug", "info", "warning", "error", "critical", "off"])]
    pub(crate) envoy_log_level: String,
    /// Also run a small upstream on this port of loopback that answers with what it saw, as JSON
    #[arg(long, value_name = "PORT")]
    pub(crate) demo_upstream: Option<u16>,
}

/// Arguments of `ferrule controller`.
#[derive(Debug, Args)]
pub struct ControllerArgs {
    /// How to reach the API server [default: the pod's service account, or else $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The controller's own namespace
    #[arg(long, value_name = "NAME", default_value = "ferrule-system", env = "POD_NAMESPACE")]
    pub(crate) namespace: String,
    /// Name of this replica, unique among all [default: the host's name and the process's number]
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) identity: Option<String>,
    /// Serve only these namespaces: names with commas between them, or a label selector such as env=prod
    #[arg(long, value_name = "NAMES|SELECTOR", default_value = "", env = "FERRULE_WATCH_NAMESPACES")]
    pub(crate) watch_namespaces: Selection,
    #[command(flatten)]
    pub(crate) filters: FilterArgs,
    /// Where Envoys ask for their configuration
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:18000", env = "FERRULE_ADS")]
    pub(crate) ads: Address,
    /// Serve xDS without TLS, on a loopback address or unix:/path; proxies of others only
    #[arg(long)]
    pub(crate) plaintext_xds: bool,
    /// Where proxies reach --ads: host:port [default: ferrule.NAMESPACE.svc:18000]
    #[arg(long, value_name = "ADDRESS", env = "FERRULE_XDS_ADDRESS")]
    pub(crate) xds_address: Option<Address>,
    /// Image of proxies, unless their GatewayParameters name another [default: ferrule-proxy of this version]
    #[arg(long, value_name = "IMAGE", env = "FERRULE_PROXY_IMAGE")]
    pub(crate) proxy_image: Option<ferrule_provision::Image>,
    /// Send the routes of a port in one table, not in one for each host; what benches compare with
    #[arg(long, hide = true)]
    pub(crate) one_table: bool,
    /// Where `ferrule get` asks: host:port on loopback, or unix:/path
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18001", env = "FERRULE_ADMIN")]
    pub(crate) admin: Address,
    /// Where the kubelet and scrapers ask for /healthz, /readyz and /metrics: host:port [default: nowhere]
    #[arg(long, value_name = "ADDRESS", env = "FERRULE_HEALTH")]
    pub(crate) health: Option<Address>,
}

/// Arguments of `ferrule translate`.
#[derive(Debug, Args)]
pub struct TranslateArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    #[command(flatten)]
    pub(crate) filters: FilterArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Notation,
}

/// A notation for structured data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Notation {
    /// YAML
    #[default]
    Yaml,
    /// JSON
    Json,
}

/// Arguments of `ferrule check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
}

/// Arguments of `ferrule transform`.
#[derive(Debug, Default, Args)]
pub struct TransformArgs {
    /// Template of the new body
    #[arg(long, value_name = "TEMPLATE", required_unless_present = "config", conflicts_with = "config")]
    pub(crate) template: Option<String>,
    /// A file with one TrafficPolicy, or with what stands in its spec.transformation; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The body of the message; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// A header field of the message, as 'name: value'
    #[arg(long = "header", short = 'H', value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// Template, body and headers are the response's, not the request's
    #[arg(long, conflicts_with_all = ["response_body", "response_headers"])]
    pub(crate) response: bool,
    /// The request's method [default: GET, or POST where the request has a body]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// The request's path
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// The response's status
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub(crate) status: u16,
    /// The response's body, where --body is the request's; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) response_body: Option<PathBuf>,
    /// A header field of the response, where --header is the request's
    #[arg(long = "response-header", value_name = "FIELD")]
    pub(crate) response_headers: Vec<String>,
    /// What --template may know of the body [default: AsJson if the body is JSON, else AsString]
    #[arg(long, value_parser = ["AsJson", "AsString", "None"], conflicts_with = "config")]
    pub(crate) parse_as: Option<String>,
    /// What secret('NAME') reads
    #[arg(long = "secret", value_name = "NAME=TEXT")]
    pub(crate) secrets: Vec<String>,
    /// What data_source('NAME') reads
    #[arg(long = "data-source", value_name = "NAME=TEXT")]
    pub(crate) data_sources: Vec<String>,
}

/// What `ferrule lambda` can do.
#[derive(Debug, Subcommand)]
pub enum LambdaCommand {
    /// Explain the call of the function behind a route, and make it as the route's proxy would; needs no Envoy. Exit code 0
    /// the function answered, 1 it did not or cannot be called, 2 something could not be read or does not exist
    Invoke(InvokeArgs),
}

/// Arguments of `ferrule lambda invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// The HTTPRoute: NAME, or NAMESPACE/NAME [default namespace: default]
    pub(crate) route: String,
    /// The route's rule, by its name or counted from 0 [default: the first that calls a function]
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Name of the Backend, where the rule has several [default: the first that is a function]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// The request's method [default: that of the rule's match, or else GET, or POST where there is a body]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// The request's path, with its query [default: that of the rule's match]
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// A header field of the request, as 'name: value'
    #[arg(long = "header", short = 'H', value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The request's body; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// Say what would be sent, signed, and send nothing
    #[arg(long)]
    pub(crate) explain: bool,
    /// How long the answer may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// Arguments of `ferrule convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Files with RouteOptions, VirtualHostOptions, VirtualServices, RouteTables, Upstreams; - for stdin
    #[arg(required_unless_present = "template", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Also print what is left of an object of which something cannot be converted
    #[arg(long)]
    pub(crate) partial: bool,
    /// Convert this one Inja template instead
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["files", "partial"])]
    pub(crate) template: Option<String>,
    /// The template is advanced: its paths are a/b, not a.b
    #[arg(long, requires = "template")]
    pub(crate) advanced: bool,
}

/// Arguments of `ferrule get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Only objects of this kind, such as httproute or gateways
    pub(crate) kind: Option<String>,
    /// Only the object of this name
    pub(crate) name: Option<String>,
    /// Only objects of this namespace
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Layout,
    /// Where the controller's admin interface listens
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADMIN, env = "FERRULE_ADMIN")]
    pub(crate) admin: Address,
}

/// How `ferrule get` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// A line an object
    #[default]
    Table,
    /// A line a condition, with its message
    Wide,
    /// YAML
    Yaml,
    /// JSON
    Json,
}

const DEFAULT_ADMIN: &str = "127.0.0.1:19080";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: u64 = text.parse().map_err(|_| "not a whole number of seconds".to_owned())?;
    if seconds <= 3600 { Ok(Duration::from_secs(seconds)) } else { Err("more than an hour".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_quick_start_command_parses() {
        let line =
            ["ferrule", "run", "-f", "examples/quickstart", "--demo-upstream", "9000", "--filters", "wasm"];
        let Command::Run(args) = Cli::try_parse_from(line).unwrap().command else { panic!("not run") };
        assert_eq!(args.demo_upstream, Some(9000));
        assert_eq!(args.filters.host, Host::Wasm);
    }

    #[test]
    fn flags_for_envoy_need_an_envoy() {
        assert!(
            Cli::try_parse_from(["ferrule", "run", "-f", "x", "--no-envoy", "--concurrency", "2"]).is_err()
        );
        assert!(Cli::try_parse_from(["ferrule", "run", "-f", "x", "--no-envoy"]).is_ok());
    }
}
