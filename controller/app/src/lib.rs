//! The ferrule controller and command line.
#![allow(dead_code, unused_imports)]

mod admin;
pub mod cli;
mod delivery;
mod demo;
mod diagnostic;
mod get;
mod http;
mod listen;
mod manifest;
mod metrics;
mod object;
mod record;
mod status_writer;
mod supervise;
mod transition;
mod watch;
mod yaml;
