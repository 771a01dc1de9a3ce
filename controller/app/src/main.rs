//! The ferrule controller and command line.
fn main() {}
