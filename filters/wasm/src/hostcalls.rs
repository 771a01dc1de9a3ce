//! Host calls for which the SDK has no form that fits: it panics where Envoy answers with a status, which would end the
//! whole VM, and its local replies have neither details nor fields that are not UTF-8.
//!
//! The declarations are those of proxy-wasm ABI 0.2.1.

#![allow(unsafe_code)]

use std::ptr::null_mut;

use ferrule_kit::Response;
use proxy_wasm::types::{BufferType, MapType};

use crate::pairs;

/// Envoy's status for a call that succeeded.
const OK: u32 = 0;
/// Envoy's status where the section is there and the field is not.
const NOT_FOUND: u32 = 1;
/// Tells Envoy that an answer has no gRPC status of its own.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, form: *mut *mut u8, form_size: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        size: usize,
        bytes: *mut *mut u8,
        bytes_size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: BufferType,
        start: usize,
        size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
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

/// A section that Envoy shows no longer, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden;

/// The first value of a field.
pub(crate) fn field(map: MapType, name: &str) -> Result<Option<Vec<u8>>, Hidden> {
    let (mut value, mut size) = (null_mut(), 0);
    // SAFETY: the name outlives the call and the out-parameters are ours.
    let status =
        unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), &raw mut value, &raw mut size) };
    match status {
        // SAFETY: Envoy has just set them.
        OK => Ok(Some(unsafe { given(value, size) })),
        NOT_FOUND => Ok(None),
        _ => Err(Hidden),
    }
}

/// A whole section in the form of [`pairs`]; no bytes or no lines where Envoy does not show it.
pub(crate) fn field_lines(map: MapType) -> Vec<u8> {
    let (mut form, mut size) = (null_mut(), 0);
    // SAFETY: the out-parameters are ours, and Envoy sets them where it says so.
    unsafe {
        match proxy_get_header_map_pairs(map, &raw mut form, &raw mut size) {
            OK => given(form, size),
            _ => Vec::new(),
        }
    }
}

/// # Safety
/// Envoy has set both: it has the SDK allocate what it gives, as many bytes as it says.
unsafe fn given(bytes: *mut u8, size: usize) -> Vec<u8> {
    if bytes.is_null() {
        return Vec::new();
    }
    // SAFETY: the SDK allocates a boxed slice of that size.
    unsafe { Vec::from_raw_parts(bytes, size, size) }
}

/// Appends a field line; a section that Envoy does not show stays as it is.
pub(crate) fn add_field(map: MapType, name: &str, value: &[u8]) {
    // SAFETY: name and value outlive the call.
    unsafe { proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// Replaces all field lines of that name by one; a section that Envoy does not show stays as it is.
pub(crate) fn set_field(map: MapType, name: &str, value: &[u8]) {
    // SAFETY: name and value outlive the call.
    unsafe { proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// Removes all field lines of that name; a section that Envoy does not show stays as it is.
pub(crate) fn remove_field(map: MapType, name: &str) {
    // SAFETY: the name outlives the call.
    unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
}

/// The first `size` bytes of a buffer, which Envoy has just said how many it has.
pub(crate) fn buffer(buffer: BufferType, size: usize) -> Vec<u8> {
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
pub(crate) fn set_buffer(buffer: BufferType, bytes: &[u8]) -> bool {
    // SAFETY: the bytes outlive the call.
    unsafe { proxy_set_buffer_bytes(buffer, 0, usize::MAX, bytes.as_ptr(), bytes.len()) == OK }
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
