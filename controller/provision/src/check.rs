//! What GatewayParameters ask for that cannot be done: path of the field, and why.
//!
//! What the schema of the kind says is checked here, too, because a folder of YAML has no API server before it.

use ferrule_translate::api::gateway_parameters::{
    EnvoyBootstrap, EnvoyContainer, GatewayParametersSpec, KubernetesProxyConfig, Service, StatsConfig,
    StringMatcher,
};

/// Field and reason.
pub(crate) type Fault = (String, String);

fn fault(path: impl Into<String>, detail: impl Into<String>) -> Fault {
    (path.into(), detail.into())
}

/// Everything that is wrong with the fields of parameters; overlays are judged where they are applied.
pub(crate) fn faults(spec: &GatewayParametersSpec) -> Vec<Fault> {
    match (&spec.kube, &spec.self_managed) {
        (Some(kube), None) => kube_faults(kube),
        (None, Some(_)) => Vec::new(),
        _ => vec![fault("spec", "exactly one of kube and selfManaged must be set")],
    }
}

fn kube_faults(kube: &KubernetesProxyConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    if kube.sds_container.is_some() {
        let why = "is not supported: proxies get their secrets from the controller, not from a sidecar";
        faults.push(fault("spec.kube.sdsContainer", why));
    }
    if kube.istio.is_some() {
        let why = "is not supported; a sidecar can be added by spec.kube.deploymentOverlay";
        faults.push(fault("spec.kube.istio", why));
    }
    faults.extend(kube.envoy_container.as_ref().map(container_faults).unwrap_or_default());
    faults.extend(kube.service.as_ref().map(service_faults).unwrap_or_default());
    faults.extend(kube.stats.as_ref().map(stats_faults).unwrap_or_default());
    faults
}

/// What the controller decides about Envoy's command line.
const MANAGED_FLAGS: [&str; 9] = [
    "--config-path",
    "-c",
    "--disable-hot-restart",
    "--service-node",
    "--service-cluster",
    "--service-zone",
    "--log-level",
    "-l",
    "--component-log-level",
];

fn container_faults(container: &EnvoyContainer) -> Vec<Fault> {
    let at = "spec.kube.envoyContainer";
    let arguments = container.extra_args.iter().flatten().enumerate();
    let managed = arguments.filter_map(|(place, argument)| {
        let flag = argument.split_once('=').map_or(argument.as_str(), |(flag, _)| flag);
        let why = format!("{flag} is the controller's; change it by spec.kube.deploymentOverlay");
        MANAGED_FLAGS.contains(&flag).then(|| fault(format!("{at}.extraArgs[{place}]"), why))
    });
    let mut faults: Vec<Fault> = managed.collect();
    faults.extend(container.bootstrap.as_ref().map(bootstrap_faults).unwrap_or_default());
    faults
}

const LEVELS: [&str; 7] = ["trace", "debug", "info", "warn", "error", "critical", "off"];

fn bootstrap_faults(bootstrap: &EnvoyBootstrap) -> Vec<Fault> {
    let at = "spec.kube.envoyContainer.bootstrap";
    let levels = format!("is none of {}", LEVELS.join(", "));
    let unknown = |level: &str| !LEVELS.contains(&level) && level != "warning";
    let mut faults = Vec::new();
    if bootstrap.log_level.as_deref().is_some_and(unknown) {
        faults.push(fault(format!("{at}.logLevel"), &levels));
    }
    for (component, level) in bootstrap.component_log_levels.iter().flatten() {
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if component.is_empty() || !component.bytes().all(name) {
            faults.push(fault(format!("{at}.componentLogLevels"), format!("{component:?} is no component")));
        } else if unknown(level) {
            faults.push(fault(format!("{at}.componentLogLevels.{component}"), &levels));
        }
    }
    if let Some(format) = &bootstrap.log_format {
        match (&format.json, &format.text) {
            (Some(_), None) => {}
            (None, Some(text)) if !text.is_empty() => {}
            _ => faults.push(fault(format!("{at}.logFormat"), "exactly one of json and text must be set")),
        }
    }
    faults
}

fn service_faults(service: &Service) -> Vec<Fault> {
    let at = "spec.kube.service";
    let mut faults = Vec::new();
    let mut check = |field: &str, value: &Option<String>, allowed: &[&str]| {
        if value.as_deref().is_some_and(|value| !allowed.contains(&value)) {
            faults.push(fault(format!("{at}.{field}"), format!("is none of {}", allowed.join(", "))));
        }
    };
    check("type", &service.kind, &["ClusterIP", "NodePort", "LoadBalancer"]);
    check("externalTrafficPolicy", &service.external_traffic_policy, &["Cluster", "Local"]);
    for (place, port) in service.ports.iter().flatten().enumerate() {
        for (field, number) in [("port", Some(port.port)), ("nodePort", port.node_port)] {
            if number == Some(0) {
                faults.push(fault(format!("{at}.ports[{place}].{field}"), "must be 1 to 65535"));
            }
        }
    }
    faults
}

fn stats_faults(stats: &StatsConfig) -> Vec<Fault> {
    let at = "spec.kube.stats";
    let mut faults = Vec::new();
    for (field, path) in [
        ("routePrefixRewrite", &stats.route_prefix_rewrite),
        ("statsRoutePrefixRewrite", &stats.stats_route_prefix_rewrite),
    ] {
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            faults.push(fault(format!("{at}.{field}"), "must begin with /"));
        }
    }
    let Some(matcher) = &stats.matcher else { return faults };
    if matcher.inclusion_list.is_some() == matcher.exclusion_list.is_some() {
        let why = "exactly one of inclusionList and exclusionList must be set";
        faults.push(fault(format!("{at}.matcher"), why));
    }
    for (list, patterns) in
        [("inclusionList", &matcher.inclusion_list), ("exclusionList", &matcher.exclusion_list)]
    {
        for (place, pattern) in patterns.iter().flatten().enumerate() {
            let why = pattern_fault(pattern).map(ToOwned::to_owned);
            faults.extend(why.map(|why| fault(format!("{at}.matcher.{list}[{place}]"), why)));
        }
    }
    faults
}

fn pattern_fault(pattern: &StringMatcher) -> Option<&'static str> {
    let StringMatcher { exact, prefix, suffix, contains, safe_regex, ignore_case } = pattern;
    let set = [exact, prefix, suffix, contains, safe_regex].into_iter().flatten();
    match set.count() {
        1 if safe_regex.is_some() && *ignore_case == Some(true) => {
            Some("ignoreCase does not go with safeRegex")
        }
        1 => None,
        _ => Some("exactly one of exact, prefix, suffix, contains and safeRegex must be set"),
    }
}
