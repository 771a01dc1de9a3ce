//! What statuses are made of.

use super::shape::{
    Shape, group, integer, kind, list, namespace, object, object_name, optional, port, required,
    section_name, text,
};

/// `metav1.Condition`s, by type.
pub(super) fn conditions() -> Shape {
    let condition = object([
        required(
            "type",
            text().at_most(316).pattern(
                r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
            ),
        ),
        required("status", text().one_of(&["True", "False", "Unknown"])),
        required("reason", text().length(1, 1024).pattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")),
        required("message", text().at_most(32768)),
        required("lastTransitionTime", text().format("date-time")),
        optional("observedGeneration", integer().format("int64").from(0)),
    ]);
    list(condition).items(0, 8).by("type")
}

/// `gwv1.PolicyStatus`: by what the policy is attached to.
pub(super) fn policy() -> Shape {
    let ancestor = object([
        required("ancestorRef", parent().about("What the policy is attached to.")),
        required("controllerName", text().length(1, 253).about("Whose entry this is.")),
        required("conditions", conditions().about("Accepted and Attached.")),
    ]);
    object([required("ancestors", list(ancestor).items(0, 16).about("One entry for each target."))])
}

/// `gwv1.ParentReference`.
fn parent() -> Shape {
    object([
        optional("group", group().default("gateway.networking.k8s.io")),
        optional("kind", kind().default("Gateway")),
        optional("namespace", namespace()),
        required("name", object_name()),
        optional("sectionName", section_name()),
        optional("port", port()),
    ])
}
