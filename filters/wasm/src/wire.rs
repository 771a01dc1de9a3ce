//! Values of the ABI: proxy-wasm 0.2.1.
//!
//! They are ours, and tested against those of the public SDK, which is not linked into modules (see `exports.rs`).

/// A section of field lines.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Section {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    ResponseTrailers = 3,
    ReplyHeaders = 6,
}

/// Bytes that Envoy holds.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    ReplyBody = 4,
    PluginConfiguration = 7,
}

/// What a callback has Envoy do with its message.
///
/// There are more, but those that slow a sender down leave Envoy with a pointer to a body that is gone, and those that
/// stop all callbacks keep from a filter what comes while it holds a message.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Goes on.
    Continue = 0,
    /// Holds the message, keeps what has come of its body, and shows more as it comes.
    Pause = 1,
}

/// Envoy's status for a call that succeeded.
pub const OK: u32 = 0;
/// Envoy's status where what was asked for is not there.
pub const NOT_FOUND: u32 = 1;
/// Envoy's status where it cannot do what was asked for.
pub const BAD_ARGUMENT: u32 = 2;

/// What sort of metric Envoy is to define.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MetricKind {
    Counter = 0,
    Histogram = 2,
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proxy_wasm::types;

    use super::*;

    #[test]
    fn values_are_those_of_the_public_sdk() {
        let pairs = [
            (Section::RequestHeaders as u32, types::MapType::HttpRequestHeaders as u32),
            (Section::RequestTrailers as u32, types::MapType::HttpRequestTrailers as u32),
            (Section::ResponseHeaders as u32, types::MapType::HttpResponseHeaders as u32),
            (Section::ResponseTrailers as u32, types::MapType::HttpResponseTrailers as u32),
            (Section::ReplyHeaders as u32, types::MapType::HttpCallResponseHeaders as u32),
            (Buffer::RequestBody as u32, types::BufferType::HttpRequestBody as u32),
            (Buffer::ResponseBody as u32, types::BufferType::HttpResponseBody as u32),
            (Buffer::ReplyBody as u32, types::BufferType::HttpCallResponseBody as u32),
            (Buffer::PluginConfiguration as u32, types::BufferType::PluginConfiguration as u32),
            (Action::Continue as u32, types::Action::Continue as u32),
            (Action::Pause as u32, types::Action::Pause as u32),
            (OK, types::Status::Ok as u32),
            (NOT_FOUND, types::Status::NotFound as u32),
            (BAD_ARGUMENT, types::Status::BadArgument as u32),
            (MetricKind::Counter as u32, types::MetricType::Counter as u32),
            (MetricKind::Histogram as u32, types::MetricType::Histogram as u32),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(ours, theirs);
        }
    }
}
