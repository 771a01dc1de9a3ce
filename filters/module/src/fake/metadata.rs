//! Metadata that the fake Envoy has and takes.

use ferrule_abi::*;

use super::{ask, bytes, give, lend, text};

pub(super) unsafe extern "C" fn metadata_string(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    key: ModuleBuffer,
    value: *mut EnvoyBuffer,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (bytes(key) == b"text").then(|| lend(b"some"))) }
}
pub(super) unsafe extern "C" fn metadata_number(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    key: ModuleBuffer,
    value: *mut f64,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (bytes(key) == b"number").then_some(1.5)) }
}
pub(super) unsafe extern "C" fn metadata_bool(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    key: ModuleBuffer,
    value: *mut bool,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (bytes(key) == b"truth").then_some(true)) }
}
pub(super) unsafe extern "C" fn list_size(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    key: ModuleBuffer,
    size: *mut usize,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(size, (bytes(key) == b"list").then_some(3)) }
}
pub(super) unsafe extern "C" fn list_string(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    _: ModuleBuffer,
    index: usize,
    value: *mut EnvoyBuffer,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (index == 0).then(|| lend(b"first"))) }
}
pub(super) unsafe extern "C" fn list_number(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    _: ModuleBuffer,
    index: usize,
    value: *mut f64,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (index == 1).then_some(2.0)) }
}
pub(super) unsafe extern "C" fn list_bool(
    _: FilterPtr,
    _: MetadataSource,
    _: ModuleBuffer,
    _: ModuleBuffer,
    index: usize,
    value: *mut bool,
) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, (index == 2).then_some(false)) }
}
pub(super) unsafe extern "C" fn set_string(
    _: FilterPtr,
    namespace: ModuleBuffer,
    key: ModuleBuffer,
    value: ModuleBuffer,
) {
    ask(format!("metadata {}/{}={}", text(namespace), text(key), text(value)));
}
pub(super) unsafe extern "C" fn set_number(
    _: FilterPtr,
    namespace: ModuleBuffer,
    key: ModuleBuffer,
    value: f64,
) {
    ask(format!("metadata {}/{}={value:?}", text(namespace), text(key)));
}
pub(super) unsafe extern "C" fn set_bool(
    _: FilterPtr,
    namespace: ModuleBuffer,
    key: ModuleBuffer,
    value: bool,
) {
    ask(format!("metadata {}/{}={value}", text(namespace), text(key)));
}
pub(super) unsafe extern "C" fn set_struct(_: FilterPtr, namespace: ModuleBuffer, fields: ModuleBuffer) {
    ask(format!("metadata {} of {} bytes", text(namespace), fields.length));
}
