//! `TrafficPolicy`: what happens to the requests of its targets.

use super::shape::{
    Shape, boolean, group, kind as kind_name, list, map, object, object_name, optional, required,
    section_name, text,
};
use super::transformation::transformation;
use super::{KGATEWAY, Kind, UNSERVED, columns, status, unserved};

/// Kinds that a policy can be attached to.
const TARGETS: &str = "self.all(r, r.kind == 'Gateway' || r.kind == 'HTTPRoute' || r.kind == 'GRPCRoute' || \
                       r.kind.endsWith('ListenerSet'))";
const TARGETS_MESSAGE: &str = "targets must be Gateways, ListenerSets, HTTPRoutes or GRPCRoutes";

pub(super) fn kind() -> Kind {
    Kind {
        group: KGATEWAY,
        name: "TrafficPolicy",
        plural: "trafficpolicies",
        short: "tp",
        description: "What happens to the requests of Gateways, ListenerSets and routes.",
        spec: spec(),
        status: status::policy(),
        columns: columns(&[("Accepted", ".status.ancestors[*].conditions[?(@.type=='Accepted')].status")]),
        is_policy: true,
    }
}

fn spec() -> Shape {
    object([
        optional("targetRefs", target_refs()),
        optional("targetSelectors", target_selectors()),
        optional("transformation", transformation()),
        unserved("extProc"),
        unserved("extAuth"),
        unserved("rateLimit"),
        unserved("cors"),
        unserved("csrf"),
        unserved("headerModifiers"),
        unserved("requestMirror"),
        optional("autoHostRewrite", boolean().about(UNSERVED)),
        unserved("buffer"),
        unserved("timeouts"),
        unserved("retry"),
        unserved("internalRedirect"),
        unserved("rbac"),
        unserved("jwtAuth"),
        unserved("urlRewrite"),
        unserved("compression"),
        unserved("basicAuth"),
        unserved("apiKeyAuth"),
        unserved("oauth2"),
        unserved("tracing"),
        unserved("faultInjection"),
        unserved("acl"),
        optional("statPrefix", text().length(1, 256).about(UNSERVED)),
    ])
}

pub(super) fn target_refs() -> Shape {
    let target = object([
        required("group", group().about("API group of the target.")),
        required("kind", kind_name().about("Kind of the target.")),
        required("name", object_name().about("Name of the target, in the policy's namespace.")),
        optional("sectionName", section_name().about("Listener of a Gateway, or rule of a route.")),
    ]);
    list(target).items(1, 16).rule(TARGETS, TARGETS_MESSAGE).about("What the policy is attached to.")
}

pub(super) fn target_selectors() -> Shape {
    let selector = object([
        required("group", group().about("API group of the targets.")),
        required("kind", kind_name().about("Kind of the targets.")),
        required("matchLabels", map(text()).about("All of these labels.")),
        optional("sectionName", section_name().about("Listener of a Gateway, or rule of a route.")),
    ]);
    let about = "What the policy is attached to, by label, in its own namespace.";
    list(selector).items(0, 16).rule(TARGETS, TARGETS_MESSAGE).about(about)
}
