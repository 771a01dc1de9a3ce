//! `AWSSigningPolicy`: requests are signed for a service of AWS (filters/aws-signing/src/config.rs).

use super::aws::{auth, region};
use super::shape::{Shape, integer, list, object, object_name, optional, required, section_name, text};
use super::{FERRULE, Kind, columns, status};

pub(super) fn kind() -> Kind {
    Kind {
        group: FERRULE,
        name: "AWSSigningPolicy",
        plural: "awssigningpolicies",
        short: "asp",
        description: "Requests are signed for a service of AWS on their way to it.",
        spec: spec(),
        status: status::policy(),
        columns: columns(&[("Accepted", ".status.ancestors[*].conditions[?(@.type=='Accepted')].status")]),
        is_policy: true,
    }
}

fn spec() -> Shape {
    object([
        required("targetRefs", target_refs()),
        required("region", region().about("Region that the service is in.")),
        required(
            "service",
            text().length(1, 63).pattern("^[a-z0-9-]+$").about(
                "The service's name in signatures: s3, execute-api, es, sqs and so on.",
            ),
        ),
        optional(
            "host",
            text().length(1, 260).pattern("^[-.:a-zA-Z0-9]+$").about(
                "Takes the place of the request's host; by default that of a Backend with one host.",
            ),
        ),
        optional(
            "tls",
            text().one_of(&["System"]).about(
                "System: Backends are spoken to by TLS, and the operating system's authorities vouch for their host.",
            ),
        ),
        optional(
            "payload",
            text().one_of(&["Buffered", "Unsigned"]).default("Buffered").about(
                "Buffered: the digest of the body is signed. Unsigned: the body flows while it comes.",
            ),
        ),
        optional(
            "bufferLimit",
            integer().from(1).to(100 << 20).about(
                "Bytes of a body that are held to be signed, 10 MiB by default; a larger one is a 413.",
            ),
        ),
        optional(
            "signedHeaders",
            list(text().length(1, 256)).items(1, 64).about(
                "Fields that are signed where a request has them, besides host and all x-amz-*.",
            ),
        ),
        optional("auth", auth("policy").about("Who signs; where it is left out, whoever the controller is.")),
    ])
    .rule(
        "!has(self.bufferLimit) || !has(self.payload) || self.payload != 'Unsigned'",
        "bufferLimit has no meaning for a payload that is Unsigned",
    )
}

fn target_refs() -> Shape {
    let groups = ["gateway.networking.k8s.io", "", "gateway.kgateway.dev"];
    let target = object([
        required("group", text().one_of(&groups).about("API group of the target.")),
        required("kind", text().one_of(&["HTTPRoute", "Service", "Backend"]).about("Kind of the target.")),
        required("name", object_name().about("Name of the target, in the policy's namespace.")),
        optional("sectionName", section_name().about("Rule of an HTTPRoute, or port of a Service.")),
    ])
    .rule(
        "self.group == {'HTTPRoute': 'gateway.networking.k8s.io', 'Service': '', 'Backend': 'gateway.kgateway.dev'}[self.kind]",
        "kind must be one of the group",
    )
    .rule("!has(self.sectionName) || self.kind != 'Backend'", "a Backend has no sections");
    list(target).items(1, 16).about("Whose requests are signed; the nearest to where they go has the word.")
}
