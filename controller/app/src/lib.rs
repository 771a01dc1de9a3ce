//! The ferrule controller and command line.

#[allow(dead_code)]
mod manifest;
