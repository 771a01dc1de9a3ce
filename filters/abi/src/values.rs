//! The ABI's enumerations. C gives them the size of `unsigned int`.
//!
//! What the module sends is an enum; what Envoy sends is a `u32` with constants, because a later Envoy may send values
//! that this list does not have.

/// Which field section a header callback is about.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HeaderType {
    Request = 0,
    RequestTrailer = 1,
    Response = 2,
    ResponseTrailer = 3,
}

/// Which body bytes a body callback is about.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// The chunk that the request's body hook is about; nothing outside of that hook.
    ReceivedRequest = 0,
    /// What Envoy holds of the request's body, whichever filter made it do so.
    BufferedRequest = 1,
    /// The chunk that the response's body hook is about; nothing outside of that hook.
    ReceivedResponse = 2,
    /// What Envoy holds of the response's body, whichever filter made it do so.
    BufferedResponse = 3,
}

/// What a headers hook returns.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadersStatus {
    /// On to the next filter.
    Continue = 0,
    /// Not on to the next filter; body hooks of this filter still run.
    StopIteration = 1,
}

/// What a body hook returns.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataStatus {
    /// On to the next filter, headers that were stopped first.
    Continue = 0,
    /// Keep it; over the buffer limit Envoy answers 413 or 500.
    StopIterationAndBuffer = 1,
    /// Keep it; over the buffer limit Envoy stops reading.
    StopIterationAndWatermark = 2,
    /// Drop it.
    StopIterationNoBuffer = 3,
}

/// What a trailers hook returns.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TrailersStatus {
    Continue = 0,
    StopIteration = 1,
}

/// What the local-reply hook returns.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LocalReplyStatus {
    Continue = 0,
}

/// How loud a log line is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Where metadata is read from.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MetadataSource {
    Dynamic = 0,
    Route = 1,
    Cluster = 2,
    Host = 3,
}

/// How a stream is reset.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StreamReset {
    LocalReset = 0,
}

/// What came of starting a callout.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalloutInit(pub u32);

impl CalloutInit {
    /// It was started; `callout_done` follows.
    pub const SUCCESS: Self = Self(0);
    /// `:method`, `:path` or `:authority` is missing.
    pub const MISSING_REQUIRED_HEADERS: Self = Self(1);
    /// Envoy knows no such cluster.
    pub const CLUSTER_NOT_FOUND: Self = Self(2);
}

/// What came of a callout.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalloutResult(pub u32);

impl CalloutResult {
    /// There is an answer.
    pub const SUCCESS: Self = Self(0);
    /// The answer is larger than Envoy buffers.
    pub const EXCEED_RESPONSE_BUFFER_LIMIT: Self = Self(2);
}

/// What came of defining or moving a metric.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsResult(pub u32);

impl MetricsResult {
    /// Done.
    pub const SUCCESS: Self = Self(0);
}

/// Attribute names; an attribute's id is its place here. New ones are only ever appended.
pub const ATTRIBUTES: [&str; 68] = [
    "request.path",
    "request.url_path",
    "request.host",
    "request.scheme",
    "request.method",
    "request.headers",
    "request.referer",
    "request.useragent",
    "request.time",
    "request.id",
    "request.protocol",
    "request.query",
    "request.duration",
    "request.size",
    "request.total_size",
    "response.code",
    "response.code_details",
    "response.flags",
    "response.grpc_status",
    "response.headers",
    "response.trailers",
    "response.size",
    "response.total_size",
    "response.backend_latency",
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "connection.id",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.subject_local_certificate",
    "connection.subject_peer_certificate",
    "connection.dns_san_local_certificate",
    "connection.dns_san_peer_certificate",
    "connection.uri_san_local_certificate",
    "connection.uri_san_peer_certificate",
    "connection.sha256_peer_certificate_digest",
    "connection.transport_failure_reason",
    "connection.termination_details",
    "upstream.address",
    "upstream.port",
    "upstream.tls_version",
    "upstream.subject_local_certificate",
    "upstream.subject_peer_certificate",
    "upstream.dns_san_local_certificate",
    "upstream.dns_san_peer_certificate",
    "upstream.uri_san_local_certificate",
    "upstream.uri_san_peer_certificate",
    "upstream.sha256_peer_certificate_digest",
    "upstream.local_address",
    "upstream.transport_failure_reason",
    "upstream.request_attempt_count",
    "upstream.cx_pool_ready_duration",
    "upstream.locality",
    "xds.node",
    "xds.cluster_name",
    "xds.cluster_metadata",
    "xds.listener_direction",
    "xds.listener_metadata",
    "xds.route_name",
    "xds.route_metadata",
    "xds.virtual_host_name",
    "xds.virtual_host_metadata",
    "xds.upstream_host_metadata",
    "xds.filter_chain_name",
    "health_check",
];
