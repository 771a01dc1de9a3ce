//! Chains of filters to compare: each is a listener of the same Envoy, which answers by itself or asks a service.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use crate::traffic::Traffic;

/// Equal filters in a chain whose filters can follow each other: enough that their cost stands out from that of the request.
pub(crate) const CHAIN: usize = 10;

/// The path whose answers show what the request had become.
pub(crate) const PROOF: &str = "/proof";

/// One filter as Envoy is configured to run it.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// Its place in the chain.
    pub(crate) listener: Value,
    /// Its configuration of the route, if it has one.
    pub(crate) route: Option<Value>,
}

/// A chain of filters under a load.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// What the figures call it.
    pub(crate) name: String,
    /// The variant whose cost is none of the filters'.
    pub(crate) base: String,
    /// What it is sent.
    pub(crate) traffic: Traffic,
    filters: Vec<Filter>,
    /// Who answers, if not Envoy itself.
    service: Option<SocketAddr>,
    /// Bytes that Envoy itself answers with.
    answer: usize,
    /// Header lines of the answer to [`PROOF`] if the filters do their work.
    proof: Vec<String>,
}

impl Variant {
    /// No filter at all.
    pub(crate) fn bare(name: &str, traffic: &Traffic) -> Self {
        Self {
            name: name.to_owned(),
            base: name.to_owned(),
            traffic: traffic.clone(),
            filters: Vec::new(),
            service: None,
            answer: 1024,
            proof: Vec::new(),
        }
    }

    /// [`CHAIN`] equal filters.
    pub(crate) fn chain(name: &str, filter: &Filter, base: &str, traffic: &Traffic) -> Self {
        Self { base: base.to_owned(), filters: vec![filter.clone(); CHAIN], ..Self::bare(name, traffic) }
    }

    /// Such filters one after another.
    pub(crate) fn of(name: &str, filters: Vec<Filter>, base: &str, traffic: &Traffic) -> Self {
        Self { base: base.to_owned(), filters, ..Self::bare(name, traffic) }
    }

    /// The same with a service behind it.
    pub(crate) fn before(self, service: SocketAddr) -> Self {
        Self { service: Some(service), ..self }
    }

    /// The same with so many bytes in Envoy's own answer.
    pub(crate) fn answers(self, bytes: usize) -> Self {
        Self { answer: bytes, ..self }
    }

    /// Says which `x-out` the filters give the request.
    pub(crate) fn sets(mut self, value: &str) -> Self {
        self.proof.push(format!("x-out: {value}\r\n"));
        self
    }

    /// Says how long a body the filters give the request.
    pub(crate) fn resizes_to(mut self, length: usize) -> Self {
        self.proof.push(format!("x-length: {length}\r\n"));
        self
    }

    /// How many filters share what the chain adds.
    pub(crate) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Makes sure that the filters did their work.
    ///
    /// # Errors
    /// `head`, that of an answer to [`PROOF`], says otherwise.
    pub(crate) fn check(&self, head: &str) -> Result<()> {
        for line in &self.proof {
            ensure!(head.contains(line), "{} does not do its work: no {line:?} in {head}", self.name);
        }
        Ok(())
    }

    /// A listener on a port of the loopback address that Envoy chooses.
    pub(crate) fn listener(&self) -> Value {
        let placed = self.filters.iter().enumerate();
        let mut filters: Vec<Value> = placed
            .map(|(place, filter)| json!({"name": place_name(place), "typed_config": filter.listener}))
            .collect();
        filters.push(json!({"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}));
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "route_config": {"max_direct_response_body_size_bytes": self.answer.max(1024), "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": self.routes()}]},
            "http_filters": filters,
        });
        json!({"name": self.name, "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]})
    }

    /// The service's cluster, if there is one; it may be asked to call functions of Lambda.
    pub(crate) fn cluster(&self) -> Option<Value> {
        let address = self.service?;
        let socket = json!({"address": address.ip().to_string(), "port_value": address.port()});
        let endpoint = json!({"endpoint": {"address": {"socket_address": socket}}});
        Some(json!({
            "name": self.name, "type": "STATIC",
            "load_assignment": {"cluster_name": self.name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "metadata": {"filter_metadata": {"com.amazonaws.lambda": {"egress_gateway": true}}},
        }))
    }

    fn routes(&self) -> Value {
        let per_filter: Map<String, Value> = self
            .filters
            .iter()
            .enumerate()
            .filter_map(|(place, filter)| Some((place_name(place), filter.route.clone()?)))
            .collect();
        if self.service.is_some() {
            return json!([{"name": "all", "match": {"prefix": "/"}, "route": {"cluster": self.name},
                           "typed_per_filter_config": per_filter}]);
        }
        let shown = |name: &str, value: &str| json!({"header": {"key": name, "value": value}});
        json!([
            {"name": "proof", "match": {"path": PROOF}, "direct_response": {"status": 200, "body": {"inline_string": "."}},
             "response_headers_to_add": [shown("x-out", "%REQ(x-out)%"), shown("x-length", "%REQ(content-length)%")],
             "typed_per_filter_config": per_filter},
            {"name": "all", "match": {"prefix": "/"},
             "direct_response": {"status": 200, "body": {"inline_string": "x".repeat(self.answer)}},
             "typed_per_filter_config": per_filter},
        ])
    }
}

fn place_name(place: usize) -> String {
    format!("filter-{place}")
}
