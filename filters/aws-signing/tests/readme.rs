//! The README names all fields, and its examples compile.

use envoy_harness::readme;
use ferrule_aws_signing::AwsSigning;

const README: &str = include_str!("../README.md");

#[test]
fn every_field_is_described() {
    readme::describes_every_field::<AwsSigning>(README);
}

#[test]
fn every_example_compiles() {
    readme::has_examples_that_compile::<AwsSigning>(README);
}
