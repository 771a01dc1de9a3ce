//! What Envoy refuses of calls and signatures: it is told where it was asked for, and everything else serves.

use std::fs;

use crate::controller::{Controller, probe_module};
use crate::load::Load;

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: aws}
stringData: {accessKey: AKIAIOSFODNN7EXAMPLE, secretKey: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
";

const SIGNED: &str = "
apiVersion: ferrule.dev/v1alpha1
kind: AWSSigningPolicy
metadata: {name: signed}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: greeter}]
  region: us-east-1
  service: execute-api
  auth: {type: Secret, secretRef: {name: aws}}
";

const FUNCTION: &str = "
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: {name: function}
spec:
  type: AWS
  aws: {accountId: '123456789012', auth: {type: Secret, secretRef: {name: aws}}, lambda: {functionName: f}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: function}
spec:
  parentRefs: [{name: quickstart}]
  hostnames: [function.test]
  rules: [{backendRefs: [{group: gateway.kgateway.dev, kind: Backend, name: function}]}]
";

const POLICY: &str = "
apiVersion: ferrule.dev/v1alpha1
kind: LambdaPolicy
metadata: {name: alb}
spec: {targetRefs: [{group: gateway.kgateway.dev, kind: Backend, name: function}], payloadMode: Alb}
";

/// What Envoy says of a module that lacks a filter.
const WORDS: &str = "Failed to initialize";

/// A gateway whose module lacks the filters, which only Envoy can know; it serves the quick start without its policy.
fn lacking_filters() -> Controller {
    let module = probe_module();
    let controller = Controller::with(&["--module", module.to_str().unwrap()], |folder| {
        fs::remove_file(folder.join("policy.yaml")).unwrap();
    });
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    controller
}

fn put(controller: &Controller, objects: &[&str]) {
    fs::write(controller.config("draft"), objects.join("---")).unwrap();
    fs::rename(controller.config("draft"), controller.config("more.yaml")).unwrap();
}

fn is_blamed(controller: &Controller, kind: &str, name: &str) -> bool {
    controller.conditions(kind, name).iter().any(|one| one.starts_with("Programmed=False"))
}

#[test]
fn a_policy_that_signs_or_calls_says_that_envoy_refuses_it_until_it_is_mended() {
    let controller = lacking_filters();
    let load = Load::on(controller.gateway, |answer| answer.status.to_string());
    put(&controller, &[SECRET, SIGNED]);
    controller.wait_for_condition("awssigningpolicy", "signed", "Programmed=False Invalid", WORDS);
    assert!(!is_blamed(&controller, "backend", "upstream"));
    put(&controller, &[SECRET]);
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");

    put(&controller, &[SECRET, FUNCTION, POLICY]);
    for (kind, name) in [("backend", "function"), ("lambdapolicy", "alb"), ("httproute", "function")] {
        controller.wait_for_condition(kind, name, "Programmed=False Invalid", WORDS);
    }
    assert!(!is_blamed(&controller, "httproute", "greeter"));
    fs::remove_file(controller.config("more.yaml")).unwrap();
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    let outcomes = load.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}
