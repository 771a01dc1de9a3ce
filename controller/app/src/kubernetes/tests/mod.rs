//! The parts against an API server that does as it is told.

mod desk;
mod fake;
mod reading;
mod watching;
