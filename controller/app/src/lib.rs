//! The ferrule controller and command line.
#![allow(dead_code, unused_imports)]

pub mod cli;
mod demo;
mod diagnostic;
mod http;
mod listen;
mod manifest;
mod metrics;
mod object;
mod supervise;
mod watch;
