//! `LambdaPolicy`: how a Backend's function is called, beyond what the Backend says (filters/lambda/src/config.rs).

use super::shape::{Shape, boolean, list, object, object_name, optional, required, text};
use super::{FERRULE, Kind, columns, status};

pub(super) fn kind() -> Kind {
    Kind {
        group: FERRULE,
        name: "LambdaPolicy",
        plural: "lambdapolicies",
        short: "lp",
        description: "How the Lambda functions of Backends are called.",
        spec: spec(),
        status: status::policy(),
        columns: columns(&[("Accepted", ".status.ancestors[*].conditions[?(@.type=='Accepted')].status")]),
        is_policy: true,
    }
}

fn spec() -> Shape {
    object([
        required("targetRefs", target_refs()),
        optional(
            "functionName",
            text().length(1, 1024).about(
                "Template of the function's name: text with {{ segment(1) }}, {{ header('name') }} or {{ query('name') }}.",
            ),
        ),
        optional(
            "functions",
            list(text().length(1, 170)).items(1, 1024).about("Functions that the template may choose; others are a 404."),
        ),
        optional(
            "functionURL",
            text().length(1, 2048).pattern("^https?://[-.:a-zA-Z0-9]+/?$").about(
                "URL of the function: requests go there as they are, signed, instead of being turned into calls.",
            ),
        ),
        optional(
            "invocationMode",
            text().one_of(&["RequestResponse", "Event", "DryRun", "ResponseStream"]).about(
                "How the function is called; by default as the Backend says.",
            ),
        ),
        optional(
            "payloadMode",
            text().one_of(&["Envoy", "None", "ApiGatewayV1", "ApiGatewayV2", "Alb"]).about(
                "Format of event and answer; by default as the Backend says.",
            ),
        ),
        optional(
            "errorStatus",
            text().one_of(&["Gateway", "Gloo", "Envoy"]).about("What a client gets where a function fails."),
        ),
        optional("logType", text().one_of(&["None", "Tail"]).about("Whether Lambda sends the end of its log.")),
        optional("clientContext", text().length(1, 2687).about("JSON for the function's context.")),
        optional(
            "forwardHeaders",
            list(text().length(1, 256)).items(1, 64).about("Fields of clients that are sent and signed, too."),
        ),
        optional("multiValueHeaders", boolean().about("Alb: whether events and answers have lists of values.")),
        optional("requestContext", request_context()),
    ])
    .rule(
        "has(self.functions) == (has(self.functionName) && self.functionName.contains('{{'))",
        "functions must be set where functionName is a template, and only there",
    )
}

fn target_refs() -> Shape {
    let target = object([
        required("group", text().one_of(&["gateway.kgateway.dev"]).about("API group of the target.")),
        required("kind", text().one_of(&["Backend"]).about("Kind of the target.")),
        required("name", object_name().about("Name of the Backend, in the policy's namespace.")),
    ]);
    list(target).items(1, 16).about("Backends of type AWS whose functions are meant.")
}

fn request_context() -> Shape {
    object([
        optional("accountId", text().at_most(64)),
        optional("apiId", text().at_most(256)),
        optional("stage", text().at_most(256)),
        optional("resourcePath", text().at_most(2048)),
        optional("targetGroupArn", text().at_most(2048)),
    ])
    .about("What events say of where they come from.")
}
