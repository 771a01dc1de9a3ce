//! Fetches the pinned stock Envoy and writes its bootstrap.
