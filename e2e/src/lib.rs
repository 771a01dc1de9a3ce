//! End-to-end tests on real Envoy.
