//! `aws` of a Backend: a Lambda function, and who calls it. Limits and defaults are kgateway's.

use super::UNSERVED;
use super::shape::{Shape, object, open, optional, required, text};

pub(super) fn aws() -> Shape {
    object([
        optional("lambda", lambda().about("A Lambda function.")),
        optional("ec2", open().about(UNSERVED)),
        optional("accountId", account().about("Account of the function.")),
        optional(
            "auth",
            auth("Backend").about("Who calls; where it is left out, whoever the controller is."),
        ),
        optional("region", region().default("us-east-1").about("Region of the function.")),
    ])
    .exactly_one(&["lambda", "ec2"])
    .rule(
        "!has(self.lambda) || has(self.accountId) || has(self.lambda.accountId)",
        "accountId must be set, here or in lambda",
    )
    .about("AWS.")
}

fn account() -> Shape {
    text().length(1, 12).pattern("^[0-9]{12}$")
}

fn lambda() -> Shape {
    object([
        optional("accountId", account().about("Account of the function.")),
        optional(
            "endpointURL",
            text()
                .at_most(2048)
                .pattern("^https?://[-a-zA-Z0-9@:%.+~#?&/=]+$")
                .about("URL of the Lambda API in the place of the region's own, without a path."),
        ),
        required("functionName", text().pattern("^[-A-Za-z0-9_]{1,140}$").about("Name of the function.")),
        optional(
            "invocationMode",
            text().one_of(&["Sync", "Async"]).default("Sync").about("Whether its result is waited for."),
        ),
        optional(
            "qualifier",
            text()
                .pattern("^(\\$LATEST|[0-9]+|[-A-Za-z0-9_]{1,128})$")
                .default("$LATEST")
                .about("Version or alias."),
        ),
        optional(
            "payloadTransformMode",
            text()
                .one_of(&["None", "Envoy"])
                .default("Envoy")
                .about("Envoy: the request is an event. None: its body is given as it is."),
        ),
    ])
}

pub(super) fn region() -> Shape {
    text().length(1, 63).pattern("^[a-z0-9-]+$")
}

/// Who signs, as `owner` says.
pub(super) fn auth(owner: &str) -> Shape {
    let secret = object([optional("name", text().about(&format!("Its name, in the {owner}'s namespace.")))]);
    let role = object([required(
        "roleArn",
        text().length(1, 2048).pattern("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$").about("ARN of the role."),
    )]);
    object([
        required("type", text().one_of(&["Secret", "AssumeRole"]).about("Which of the other fields is set.")),
        optional("secretRef", secret.about("A Secret with accessKey, secretKey and maybe sessionToken.")),
        optional("assumeRole", role.about("A role that the controller takes on.")),
    ])
    .rule(
        "has(self.secretRef) == (self.type == 'Secret')",
        "secretRef must be set for type Secret, and only there",
    )
    .rule(
        "has(self.assumeRole) == (self.type == 'AssumeRole')",
        "assumeRole must be set for type AssumeRole, and only there",
    )
}
