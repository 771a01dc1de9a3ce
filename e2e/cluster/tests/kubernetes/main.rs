//! The controller on a real API server: what goes wrong there, and that serving goes on. Needs root, as clusters do.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on has failed.")]
#![allow(clippy::panic, reason = "A test that cannot go on has failed.")]

mod controller;
mod judge;
mod objects;
mod stage;
mod visitors;

mod api_server;
mod burst;
mod certificate;
mod changes;
mod definitions;
mod deployment;
mod events;
mod expired_watch;
mod field_managers;
mod filters;
mod killed_controller;
mod lease;
mod nack;
mod namespaces;
mod parameters;
mod parity;
mod routability;
mod sessions;
mod trust_bundle;
