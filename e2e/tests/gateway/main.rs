//! `ferrule run` on real Envoy: what clients of its gateway and who keeps its folder see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authorization;
mod authorization_server;
mod aws;
mod cache;
mod client;
mod controller;
mod load;
mod prerouting;
mod quickstart;
mod routes;
mod scoped_routes;
mod secrets;
mod sessions;
mod streams;
mod upstream;
