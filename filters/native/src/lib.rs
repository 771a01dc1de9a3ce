//! Ferrule's filters as an Envoy dynamic module.
