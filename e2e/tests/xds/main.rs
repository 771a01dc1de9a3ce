//! Our xDS server with real Envoys as its clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control;
mod delta;
mod mutual_tls;
mod resources;
mod traffic;
