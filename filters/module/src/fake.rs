//! An Envoy of thread-local memory in the place of the real one, for the adapter's tests.

mod configuration;
mod metadata;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use ferrule_abi::*;

use crate::envoy;

/// What the fake Envoy has and was asked for.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) sections: BTreeMap<u32, Vec<(String, Vec<u8>)>>,
    /// By [`BodyType`].
    pub(crate) bodies: [Option<Vec<u8>>; 4],
    /// Bytes of each chunk of a body but its last; 0 for a body of one chunk.
    pub(crate) chunk: usize,
    /// How many bytes were drained each time.
    pub(crate) drained: Vec<usize>,
    pub(crate) same_bytes: bool,
    pub(crate) route: usize,
    pub(crate) callout: u32,
    /// The stream's span; 0 for none.
    pub(crate) span: usize,
    /// Name and labels of each counter and histogram, and what was added under which label values.
    pub(crate) metrics: Vec<(String, Vec<(String, u64)>)>,
    /// Names and sources of the secrets that are followed.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) log: Vec<String>,
    /// What was asked of it, in order.
    pub(crate) asked: Vec<String>,
}

impl Fake {
    fn chunks(&self, body: BodyType) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bodies[body as usize].as_deref().unwrap_or_default();
        bytes.chunks(if self.chunk == 0 { bytes.len().max(1) } else { self.chunk })
    }
}

type Reentry = Box<dyn FnOnce()>;

thread_local! {
    static FAKE: RefCell<Fake> = RefCell::default();
    static REENTRY: Cell<Option<Reentry>> = const { Cell::new(None) };
}

/// Starts afresh, with the fake's callbacks in the place of Envoy's.
pub(crate) fn reset() {
    envoy::install(CALLBACKS);
    FAKE.take();
    REENTRY.take();
}

pub(crate) fn fake<T>(with: impl FnOnce(&mut Fake) -> T) -> T {
    FAKE.with_borrow_mut(with)
}

/// Has `hooks` run inside the next callback that may run hooks.
pub(crate) fn reenter(hooks: impl FnOnce() + 'static) {
    REENTRY.set(Some(Box::new(hooks)));
}

fn ask(what: String) {
    fake(|fake| fake.asked.push(what));
    if let Some(hooks) = REENTRY.take() {
        hooks();
    }
}

fn text(buffer: ModuleBuffer) -> String {
    String::from_utf8_lossy(bytes(buffer)).into_owned()
}

fn bytes<'a>(buffer: ModuleBuffer) -> &'a [u8] {
    // SAFETY: the adapter lends it for the length of the callback.
    unsafe { EnvoyBuffer { ptr: buffer.ptr, length: buffer.length }.bytes() }
}

fn lend(bytes: &[u8]) -> EnvoyBuffer {
    EnvoyBuffer { ptr: bytes.as_ptr(), length: bytes.len() }
}

/// # Safety
/// `out` may be written.
unsafe fn give<T>(out: *mut T, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    // SAFETY: the caller vouches for it.
    unsafe { out.write(value) };
    true
}

unsafe extern "C" fn log_v2(_: LogLevel, line: ModuleBuffer, _: ModuleBuffer, _: u32) {
    fake(|fake| fake.log.push(text(line)));
}
unsafe extern "C" fn log_enabled(_: LogLevel) -> bool {
    true
}
unsafe extern "C" fn get_header(
    _: FilterPtr,
    section: HeaderType,
    name: ModuleBuffer,
    value: *mut EnvoyBuffer,
    index: usize,
    total: *mut usize,
) -> bool {
    fake(|fake| {
        let lines = fake.sections.get(&(section as u32)).map_or(&[][..], Vec::as_slice);
        let values: Vec<_> = lines.iter().filter(|line| line.0.as_bytes() == bytes(name)).collect();
        // SAFETY: the out-parameters are the adapter's.
        unsafe {
            give(total, Some(values.len()));
            give(value, values.get(index).map(|line| lend(&line.1)))
        }
    })
}
unsafe extern "C" fn get_headers_size(_: FilterPtr, section: HeaderType) -> usize {
    fake(|fake| fake.sections.get(&(section as u32)).map_or(0, Vec::len))
}
unsafe extern "C" fn get_headers(_: FilterPtr, section: HeaderType, lines: *mut HttpHeader) -> bool {
    fake(|fake| {
        let Some(section) = fake.sections.get(&(section as u32)) else { return false };
        for (index, (name, value)) in section.iter().enumerate() {
            // SAFETY: the array has room for as many lines as there are.
            unsafe { lines.add(index).write(HttpHeader::new(name, value)) };
        }
        true
    })
}
unsafe extern "C" fn get_early_header(
    request: RequestPtr,
    name: ModuleBuffer,
    value: *mut EnvoyBuffer,
    index: usize,
    total: *mut usize,
) -> bool {
    // SAFETY: the out-parameters are the adapter's.
    unsafe { get_header(request, HeaderType::Request, name, value, index, total) }
}
unsafe extern "C" fn set_early_header(request: RequestPtr, name: ModuleBuffer, value: ModuleBuffer) -> bool {
    // SAFETY: the buffers are the adapter's.
    unsafe { set_header(request, HeaderType::Request, name, value) }
}
unsafe extern "C" fn set_header(
    _: FilterPtr,
    section: HeaderType,
    name: ModuleBuffer,
    value: ModuleBuffer,
) -> bool {
    fake(|fake| {
        let Some(lines) = fake.sections.get_mut(&(section as u32)) else { return false };
        lines.retain(|line| line.0.as_bytes() != bytes(name));
        if !value.ptr.is_null() {
            assert_ne!(value.length, 0, "an empty value is to be sent as null");
            lines.push((text(name), bytes(value).to_vec()));
        }
        true
    })
}
unsafe extern "C" fn add_header(
    _: FilterPtr,
    section: HeaderType,
    name: ModuleBuffer,
    value: ModuleBuffer,
) -> bool {
    fake(|fake| {
        fake.sections.entry(section as u32).or_default().push((text(name), bytes(value).to_vec()));
    });
    true
}
unsafe extern "C" fn body_size(_: FilterPtr, body: BodyType) -> usize {
    fake(|fake| fake.bodies[body as usize].as_ref().map_or(0, Vec::len))
}
unsafe extern "C" fn chunks_size(_: FilterPtr, body: BodyType) -> usize {
    fake(|fake| fake.chunks(body).count())
}
unsafe extern "C" fn chunks(_: FilterPtr, body: BodyType, out: *mut EnvoyBuffer) -> bool {
    fake(|fake| {
        for (index, chunk) in fake.chunks(body).enumerate() {
            // SAFETY: the array has room for as many chunks as there are.
            unsafe { out.add(index).write(lend(chunk)) };
        }
        fake.bodies[body as usize].is_some()
    })
}
unsafe extern "C" fn append(_: FilterPtr, body: BodyType, more: ModuleBuffer) -> bool {
    fake(|fake| fake.bodies[body as usize].get_or_insert_default().extend_from_slice(bytes(more)));
    true
}
unsafe extern "C" fn drain(_: FilterPtr, body: BodyType, count: usize) -> bool {
    fake(|fake| {
        fake.drained.push(count);
        fake.bodies[body as usize].as_mut().map(|bytes| drop(bytes.drain(..count)))
    })
    .is_some()
}
unsafe extern "C" fn same_bytes(_: FilterPtr) -> bool {
    fake(|fake| fake.same_bytes)
}
unsafe extern "C" fn buffer_limit(_: FilterPtr) -> u64 {
    0
}
unsafe extern "C" fn attribute_string(_: FilterPtr, id: u32, value: *mut EnvoyBuffer) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, ATTRIBUTES.get(id as usize).map(|name| lend(name.as_bytes()))) }
}
unsafe extern "C" fn attribute_int(_: FilterPtr, id: u32, value: *mut u64) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, Some(u64::from(id))) }
}
unsafe extern "C" fn attribute_bool(_: FilterPtr, _: u32, value: *mut bool) -> bool {
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(value, Some(true)) }
}
unsafe extern "C" fn route_config(_: FilterPtr) -> ModuleRoutePtr {
    fake(|fake| fake.route as *const c_void)
}
unsafe extern "C" fn clear_route_cache(_: FilterPtr) {
    ask("clear route".to_owned());
}
unsafe extern "C" fn active_span(_: FilterPtr) -> SpanPtr {
    fake(|fake| fake.span as SpanPtr)
}
unsafe extern "C" fn set_operation(span: SpanPtr, name: ModuleBuffer) {
    ask(format!("span {} is {}", span as usize, text(name)));
}
unsafe extern "C" fn http_callout(
    _: FilterPtr,
    id: *mut u64,
    cluster: ModuleBuffer,
    _: *mut HttpHeader,
    lines: usize,
    body: ModuleBuffer,
    timeout: u64,
) -> CalloutInit {
    ask(format!("callout {} {lines} {} {timeout}ms", text(cluster), text(body)));
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(id, Some(7)) };
    CalloutInit(fake(|fake| fake.callout))
}
unsafe extern "C" fn send_response(
    _: FilterPtr,
    status: u32,
    _: *mut HttpHeader,
    lines: usize,
    body: ModuleBuffer,
    details: ModuleBuffer,
) {
    ask(format!("respond {status} {lines} {} {}", text(body), text(details)));
}
unsafe extern "C" fn send_response_headers(_: FilterPtr, lines: *mut HttpHeader, count: usize, end: bool) {
    // SAFETY: the adapter lends as many lines as it says.
    let lines = unsafe { std::slice::from_raw_parts(lines, count) };
    // SAFETY: as above.
    let status = unsafe { lines[0].parts() }.1;
    ask(format!("open {} {} {end}", String::from_utf8_lossy(status), count - 1));
}
unsafe extern "C" fn send_response_data(_: FilterPtr, data: ModuleBuffer, end: bool) {
    ask(format!("send {} {end}", text(data)));
}
unsafe extern "C" fn scheduler_new(_: FilterPtr) -> SchedulerPtr {
    std::ptr::dangling_mut()
}
unsafe extern "C" fn scheduler_commit(_: SchedulerPtr, event: u64) {
    ask(format!("schedule {event}"));
}
unsafe extern "C" fn scheduler_delete(_: SchedulerPtr) {
    ask("delete scheduler".to_owned());
}
unsafe extern "C" fn scheduler_delete_quietly(_: SchedulerPtr) {}
unsafe extern "C" fn start_http_stream(
    _: ConfigPtr,
    id: *mut u64,
    cluster: ModuleBuffer,
    _: *mut HttpHeader,
    lines: usize,
    _: ModuleBuffer,
    _: bool,
    timeout: u64,
) -> CalloutInit {
    ask(format!("errand {} {lines} {timeout}ms", text(cluster)));
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(id, Some(9)) };
    CalloutInit(fake(|fake| fake.callout))
}
unsafe extern "C" fn reset_http_stream(_: ConfigPtr, id: u64) {
    ask(format!("drop errand {id}"));
}
unsafe extern "C" fn continue_decoding(_: FilterPtr) {
    ask("continue request".to_owned());
}
unsafe extern "C" fn continue_encoding(_: FilterPtr) {
    ask("continue response".to_owned());
}
unsafe extern "C" fn reset_stream(_: FilterPtr, _: StreamReset, details: ModuleBuffer) {
    ask(format!("reset {}", text(details)));
}

/// Envoy's name for a stream's filter; the fake has but one stream.
pub(crate) const FILTER: FilterPtr = ptr::null_mut();

const CALLBACKS: Callbacks = Callbacks {
    log_v2,
    log_enabled,
    early_header_mutation_get_header_value: get_early_header,
    early_header_mutation_set_header: set_early_header,
    http_filter_config_define_counter: configuration::define,
    http_filter_increment_counter: configuration::add,
    http_filter_config_define_histogram: configuration::define,
    http_filter_record_histogram_value: configuration::add,
    http_filter_config_generic_secret_subscribe: configuration::subscribe,
    http_filter_get_generic_secret: configuration::secret,
    http_get_header: get_header,
    http_get_headers_size: get_headers_size,
    http_get_headers: get_headers,
    http_set_header: set_header,
    http_add_header: add_header,
    http_get_body_size: body_size,
    http_get_body_chunks_size: chunks_size,
    http_get_body_chunks: chunks,
    http_append_body: append,
    http_drain_body: drain,
    http_received_buffered_request_body: same_bytes,
    http_received_buffered_response_body: same_bytes,
    http_get_buffer_limit: buffer_limit,
    http_get_metadata_string: metadata::metadata_string,
    http_get_metadata_number: metadata::metadata_number,
    http_get_metadata_bool: metadata::metadata_bool,
    http_get_metadata_list_size: metadata::list_size,
    http_get_metadata_list_string: metadata::list_string,
    http_get_metadata_list_number: metadata::list_number,
    http_get_metadata_list_bool: metadata::list_bool,
    http_set_dynamic_metadata_string: metadata::set_string,
    http_set_dynamic_metadata_number: metadata::set_number,
    http_set_dynamic_metadata_bool: metadata::set_bool,
    http_set_dynamic_metadata_struct: metadata::set_struct,
    http_filter_get_attribute_string: attribute_string,
    http_filter_get_attribute_int: attribute_int,
    http_filter_get_attribute_bool: attribute_bool,
    get_most_specific_route_config: route_config,
    http_clear_route_cache: clear_route_cache,
    http_get_active_span: active_span,
    http_span_set_operation: set_operation,
    http_filter_http_callout: http_callout,
    http_send_response: send_response,
    http_send_response_headers: send_response_headers,
    http_send_response_data: send_response_data,
    http_filter_scheduler_new: scheduler_new,
    http_filter_scheduler_commit: scheduler_commit,
    http_filter_scheduler_delete: scheduler_delete,
    http_filter_config_scheduler_new: scheduler_new,
    http_filter_config_scheduler_commit: scheduler_commit,
    http_filter_config_scheduler_delete: scheduler_delete_quietly,
    http_filter_config_start_http_stream: start_http_stream,
    http_filter_config_reset_http_stream: reset_http_stream,
    http_filter_continue_decoding: continue_decoding,
    http_filter_continue_encoding: continue_encoding,
    http_filter_reset_stream: reset_stream,
};
