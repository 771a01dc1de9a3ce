//! The ports of a Gateway: what each serves, by the protocol of the listeners that share it.

pub(crate) mod http;
