//! `Backend`: a destination that is no Service.

use super::aws::aws;
use super::shape::{list, object, open, optional, port, required, text};
use super::status::conditions;
use super::{KGATEWAY, Kind, UNSERVED, columns, unserved};

pub(super) fn kind() -> Kind {
    let hosts = list(object([
        required("host", text().filled().about("IP address or DNS name.")),
        required("port", port().about("Port.")),
    ]));
    let fixed = object([
        required("hosts", hosts.items(1, 1024).about("Where requests go.")),
        optional(
            "appProtocol",
            text()
                .one_of(&["http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"])
                .about("What the hosts speak; HTTP/1.1 by default."),
        ),
    ]);
    let fields = ["aws", "static", "dynamicForwardProxy", "gcp", "priorityGroups"];
    let types = ["AWS", "Static", "DynamicForwardProxy", "GCP", "PriorityGroups"];
    let mut spec = object([
        optional("type", text().one_of(&types).about("Which of the other fields is set; may be left out.")),
        optional("aws", aws()),
        optional("static", fixed.about("Fixed hosts.")),
        unserved("dynamicForwardProxy"),
        unserved("gcp"),
        optional("priorityGroups", list(open()).items(1, 16).about(UNSERVED)),
    ])
    .exactly_one(&fields);
    for (kind, field) in types.iter().zip(fields) {
        let rule = format!("!has(self.type) || self.type != '{kind}' || has(self.{field})");
        spec = spec.rule(&rule, &format!("{field} must be set where type is {kind}"));
    }
    Kind {
        group: KGATEWAY,
        name: "Backend",
        plural: "backends",
        short: "be",
        description: "A destination that is no Service.",
        spec,
        status: object([optional(
            "conditions",
            conditions().about("Accepted, and where calls are signed CredentialsReady."),
        )]),
        columns: columns(&[
            ("Type", ".spec.type"),
            ("Accepted", ".status.conditions[?(@.type=='Accepted')].status"),
        ]),
        is_policy: false,
    }
}
