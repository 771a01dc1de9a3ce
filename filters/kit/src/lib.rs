//! What an Envoy filter is made of, whatever the host: a [`Filter`] reads and edits a message through a [`Host`] and
//! answers with a [`Flow`]; a [`Driver`] turns that into the [`Step`] that an Envoy adapter carries out.
//!
//! Invariants:
//! - Control is a value. A filter never calls back into what called it; the adapter acts after the filter has returned,
//!   because Envoy may re-enter or free a filter inside a callback.
//! - All rules about holding and resuming live in [`Driver`]. Adapters translate and decide nothing.
//! - No Envoy, no ABI and no wasm here: this crate builds for every target and knows no host by name.

mod answer;
mod config_host;
mod driver;
mod early;
pub mod environment;
mod errand;
mod fields;
mod filter;
mod host;
mod memory;
mod recast;
mod step;
mod whole;
mod wire;

pub use answer::{Opening, Piece, Ready, Supply, Wake, Waker};
pub use config_host::ConfigHost;
pub use driver::Driver;
pub use early::{Early, RequestHead, compile_early};
pub use errand::Errand;
pub use fields::{changes_on_its_way, is_of_connection};
pub use filter::{
    ConfigError, Counter, Filter, Flow, Histogram, Response, SecretSource, compile, counter_names,
};
pub use host::{
    Callout, CalloutError, CalloutId, FieldLines, Fields, Host, Level, Lines, Message, MetadataSource,
    Octets, Reply, Value, line,
};
pub use memory::{CalloutMade, LogLine, MemoryHost, Wakes};
pub use recast::Recast;
pub use step::{Event, Hold, Step};
pub use wire::{field_value, is_field_name};
