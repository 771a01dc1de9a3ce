//! What a module asks of Envoy: proxy-wasm ABI 0.2.1, as Envoy implements it.
//!
//! Invariants:
//! - An answer that is not a success is an `Option` or an error, never a panic: a panic ends the VM of a worker.
//! - Envoy may call the module again before it has answered (see [`crate::exports`]); so nothing is borrowed here.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use ferrule_kit::{Level, Message, Response};

use crate::pairs;
use crate::wire::{BAD_ARGUMENT, Buffer, MetricKind, NOT_FOUND, OK, Section};

/// Tells Envoy that an answer has no gRPC status of its own.
const NO_GRPC_STATUS: i32 = -1;
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, line: *const u8, line_size: usize) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: MetricKind, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        result: *mut *mut u8,
        result_size: *mut usize,
    ) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_header_map_value(
        section: Section,
        name: *const u8,
        name_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(section: Section, form: *mut *mut u8, form_size: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        section: Section,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        section: Section,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(section: Section, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: Buffer,
        start: usize,
        size: usize,
        bytes: *mut *mut u8,
        bytes_size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: Buffer,
        start: usize,
        size: usize,
        bytes: *const u8,
        bytes_size: usize,
    ) -> u32;
    fn proxy_continue_stream(message: u32) -> u32;
    fn proxy_close_stream(message: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        fields: *const u8,
        fields_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        fields: *const u8,
        fields_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        milliseconds: u32,
        token: *mut u32,
    ) -> u32;
}

unsafe extern "C" {
    /// Made by the linker: runs what the C library and the crates want run before all else.
    fn __wasm_call_ctors();
}

/// Runs the module's constructors; Envoy leaves that to the module's entry. To be called once, before all else.
pub(crate) fn construct() {
    // SAFETY: the linker makes it, and the only caller is the entry, which Envoy calls once.
    unsafe { __wasm_call_ctors() };
}

/// Writes to Envoy's log, which puts the plugin's name before the line.
pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // SAFETY: the line outlives the call.
    unsafe { proxy_log(level, line.as_ptr(), line.len()) };
}

/// Says which context the host calls of this callback are about, where that is not the one that was called.
pub(crate) fn act_for(context: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(context) };
}

/// Makes a metric, or finds the one of that name.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name outlives the call, and the out-parameter is ours.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Adds to a counter; Envoy takes no addition of nothing.
pub(crate) fn count(id: u32, by: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) };
}

/// Adds a value to a histogram.
pub(crate) fn record(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

/// Has the route selected anew when it is asked for next.
pub(crate) fn clear_route_cache() {
    const NAME: &str = "clear_route_cache";
    let (mut result, mut size) = (null_mut(), 0);
    // SAFETY: the name outlives the call; the out-parameters are ours, and what Envoy gives there is freed.
    unsafe {
        proxy_call_foreign_function(NAME.as_ptr(), NAME.len(), null_mut(), 0, &raw mut result, &raw mut size);
        drop(given(result, size));
    }
}

/// A property by its path, the parts of which are separated by zeroes.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    let (mut value, mut size) = (null_mut(), 0);
    // SAFETY: the path outlives the call; the out-parameters are ours, and Envoy sets them where it says so.
    unsafe {
        match proxy_get_property(path.as_ptr(), path.len(), &raw mut value, &raw mut size) {
            OK => Some(given(value, size)),
            _ => None,
        }
    }
}

/// Sets filter state that Envoy names `wasm.<path>`.
pub(crate) fn set_property(path: &str, value: &[u8]) {
    // SAFETY: path and value outlive the call.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
}

/// A section that Envoy shows no longer, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden;

/// The first value of a field.
pub(crate) fn field(section: Section, name: &str) -> Result<Option<Vec<u8>>, Hidden> {
    let (mut value, mut size) = (null_mut(), 0);
    // SAFETY: the name outlives the call and the out-parameters are ours.
    let status = unsafe {
        proxy_get_header_map_value(section, name.as_ptr(), name.len(), &raw mut value, &raw mut size)
    };
    match status {
        // SAFETY: Envoy has just set them.
        OK => Ok(Some(unsafe { given(value, size) })),
        NOT_FOUND => Ok(None),
        _ => Err(Hidden),
    }
}

/// A whole section in the form of [`pairs`]; no bytes or no lines where Envoy does not show it.
pub(crate) fn field_lines(section: Section) -> Vec<u8> {
    let (mut form, mut size) = (null_mut(), 0);
    // SAFETY: the out-parameters are ours, and Envoy sets them where it says so.
    unsafe {
        match proxy_get_header_map_pairs(section, &raw mut form, &raw mut size) {
            OK => given(form, size),
            _ => Vec::new(),
        }
    }
}

/// # Safety
/// Envoy has set both.
unsafe fn given(bytes: *mut u8, size: usize) -> Vec<u8> {
    if bytes.is_null() {
        return Vec::new();
    }
    // SAFETY: what Envoy gives lies in what it has had `proxy_on_memory_allocate` make, as many bytes as it says.
    unsafe { Vec::from_raw_parts(bytes, size, size) }
}

/// Appends a field line; a section that Envoy does not show stays as it is.
pub(crate) fn add_field(section: Section, name: &str, value: &[u8]) {
    // SAFETY: name and value outlive the call.
    unsafe { proxy_add_header_map_value(section, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// Replaces all field lines of that name by one; a section that Envoy does not show stays as it is.
pub(crate) fn set_field(section: Section, name: &str, value: &[u8]) {
    // SAFETY: name and value outlive the call.
    unsafe {
        proxy_replace_header_map_value(section, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
}

/// Removes all field lines of that name; a section that Envoy does not show stays as it is.
pub(crate) fn remove_field(section: Section, name: &str) {
    // SAFETY: the name outlives the call.
    unsafe { proxy_remove_header_map_value(section, name.as_ptr(), name.len()) };
}

/// The first `size` bytes of a buffer, which Envoy has just said how many it has.
pub(crate) fn buffer(buffer: Buffer, size: usize) -> Vec<u8> {
    if size == 0 {
        return Vec::new();
    }
    let (mut bytes, mut length) = (null_mut(), 0);
    // SAFETY: the out-parameters are ours, and Envoy sets them where it says so.
    unsafe {
        match proxy_get_buffer_bytes(buffer, 0, size, &raw mut bytes, &raw mut length) {
            OK => given(bytes, length),
            _ => Vec::new(),
        }
    }
}

/// Puts `bytes` in the place of a whole buffer, and says whether there was one.
pub(crate) fn set_buffer(buffer: Buffer, bytes: &[u8]) -> bool {
    // SAFETY: the bytes outlive the call.
    unsafe { proxy_set_buffer_bytes(buffer, 0, usize::MAX, bytes.as_ptr(), bytes.len()) == OK }
}

/// Appends `bytes` to a buffer.
pub(crate) fn append_buffer(buffer: Buffer, bytes: &[u8]) {
    // SAFETY: the bytes outlive the call.
    unsafe { proxy_set_buffer_bytes(buffer, usize::MAX, 0, bytes.as_ptr(), bytes.len()) };
}

/// Has Envoy answer the client once this callback has returned.
pub(crate) fn respond(response: &Response) {
    let fields = pairs::write(&response.fields);
    let (details, body) = (response.details.as_bytes(), &response.body);
    // SAFETY: all buffers outlive the call.
    unsafe {
        proxy_send_local_response(
            response.status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            fields.as_ptr(),
            fields.len(),
            NO_GRPC_STATUS,
        );
    }
}

/// Lets a message that was held go on once this callback has returned.
pub(crate) fn resume(message: Message) {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(number(message)) };
}

/// Resets the stream once this callback has returned.
pub(crate) fn reset() {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(number(Message::Request)) };
}

fn number(message: Message) -> u32 {
    match message {
        Message::Request => 0,
        Message::Response => 1,
    }
}

/// Envoy's reason for not sending a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// It does not know the cluster, or a field is missing.
    BadArgument,
    /// It could not.
    Failed,
}

/// Sends a request to a cluster; the answer comes by its token.
pub(crate) fn send(
    cluster: &str,
    fields: &[(String, Vec<u8>)],
    body: &[u8],
    milliseconds: u32,
) -> Result<u32, NotSent> {
    let (fields, trailers) = (pairs::write(fields), pairs::write::<&str, &str>(&[]));
    let mut token = 0;
    // SAFETY: all buffers outlive the call, and the out-parameter is ours.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            fields.as_ptr(),
            fields.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            milliseconds,
            &raw mut token,
        )
    };
    match status {
        OK => Ok(token),
        BAD_ARGUMENT => Err(NotSent::BadArgument),
        _ => Err(NotSent::Failed),
    }
}
