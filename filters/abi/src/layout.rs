//! What crosses the ABI by value or by pointer.

use std::ffi::c_void;

/// A filter of one stream as Envoy names it.
pub type FilterPtr = *mut c_void;

/// A filter's configuration as Envoy names it, while `config_new` runs.
pub type ConfigPtr = *mut c_void;

/// A filter's configuration as the module named it.
pub type ModuleConfigPtr = *const c_void;

/// A route's configuration as the module named it.
pub type ModuleRoutePtr = *const c_void;

/// A filter of one stream as the module named it.
pub type ModuleStreamPtr = *const c_void;

/// A request that has no route yet, while the hook runs.
pub type RequestPtr = *mut c_void;

/// A span as Envoy names it; while the hook runs.
pub type SpanPtr = *mut c_void;

/// What has a stream's `scheduled` hook called.
pub type SchedulerPtr = *mut c_void;

/// Bytes that Envoy lends until the hook ends or the next edit of what they are part of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EnvoyBuffer {
    /// First byte; may be null where `length` is 0.
    pub ptr: *const u8,
    /// Bytes.
    pub length: usize,
}

impl EnvoyBuffer {
    /// No bytes; what out-parameters start as.
    pub const EMPTY: Self = Self { ptr: std::ptr::null(), length: 0 };

    /// The bytes.
    ///
    /// # Safety
    /// The buffer came from Envoy, and `'a` ends before the loan does.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the caller vouches for pointer, length and lifetime.
        unsafe { lent(self.ptr, self.length) }
    }
}

/// Bytes that the module lends for the length of a callback.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ModuleBuffer {
    /// First byte; null removes a header.
    pub ptr: *const u8,
    /// Bytes.
    pub length: usize,
}

impl ModuleBuffer {
    /// A null pointer: removes the header that is set to it.
    pub const NULL: Self = Self { ptr: std::ptr::null(), length: 0 };
}

impl From<&[u8]> for ModuleBuffer {
    fn from(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), length: bytes.len() }
    }
}

impl From<&str> for ModuleBuffer {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// A field line; the same for both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HttpHeader {
    /// First byte of the name.
    pub key_ptr: *const u8,
    /// Bytes of the name.
    pub key_length: usize,
    /// First byte of the value.
    pub value_ptr: *const u8,
    /// Bytes of the value.
    pub value_length: usize,
}

impl HttpHeader {
    /// No name and no value; what out-parameters start as.
    pub const EMPTY: Self =
        Self { key_ptr: std::ptr::null(), key_length: 0, value_ptr: std::ptr::null(), value_length: 0 };

    /// A field line to lend to Envoy.
    pub fn new(name: impl AsRef<[u8]>, value: &[u8]) -> Self {
        let name = name.as_ref();
        Self {
            key_ptr: name.as_ptr(),
            key_length: name.len(),
            value_ptr: value.as_ptr(),
            value_length: value.len(),
        }
    }

    /// Name and value.
    ///
    /// # Safety
    /// The line came from Envoy, and `'a` ends before the loan does.
    pub unsafe fn parts<'a>(self) -> (&'a [u8], &'a [u8]) {
        // SAFETY: the caller vouches for pointers, lengths and lifetime.
        unsafe { (lent(self.key_ptr, self.key_length), lent(self.value_ptr, self.value_length)) }
    }
}

/// Slices must not be null in Rust, and Envoy's empty ones are.
///
/// # Safety
/// `ptr` is null or points to `length` bytes that stay as they are for `'a`.
unsafe fn lent<'a>(ptr: *const u8, length: usize) -> &'a [u8] {
    if ptr.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { std::slice::from_raw_parts(ptr, length) }
}

const _: () = {
    const WORD: usize = size_of::<usize>();
    assert!(size_of::<EnvoyBuffer>() == 2 * WORD && align_of::<EnvoyBuffer>() == WORD);
    assert!(size_of::<ModuleBuffer>() == 2 * WORD && align_of::<ModuleBuffer>() == WORD);
    assert!(size_of::<HttpHeader>() == 4 * WORD && align_of::<HttpHeader>() == WORD);
    assert!(std::mem::offset_of!(HttpHeader, value_ptr) == 2 * WORD);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_buffer_reads_as_no_bytes() {
        // SAFETY: empty buffers lend nothing.
        let (bytes, parts) = unsafe { (EnvoyBuffer::EMPTY.bytes(), HttpHeader::EMPTY.parts()) };
        assert!(bytes.is_empty());
        assert_eq!(parts, (&b""[..], &b""[..]));
    }

    #[test]
    fn a_header_reads_back_as_it_was_lent() {
        let header = HttpHeader::new("x-a", b"\xff");
        // SAFETY: both are literals.
        assert_eq!(unsafe { header.parts() }, (&b"x-a"[..], &b"\xff"[..]));
    }
}
