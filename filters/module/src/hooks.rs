//! The hooks that Envoy calls, shaped as in its own SDK; [`crate::export!`] gives each its symbol.
//!
//! # Safety
//! Every hook is to be called as Envoy's `abi.h` says: with pointers that Envoy and this module gave each other and that
//! are still alive, on the thread that the ABI names.

#![allow(missing_docs, clippy::missing_safety_doc)]

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ferrule_abi::{
    Callbacks, CalloutResult, ConfigPtr, DataStatus, EnvoyBuffer, FilterPtr, HeadersStatus, HttpHeader,
    LocalReplyStatus, ModuleConfigPtr, ModuleRoutePtr, ModuleStreamPtr, TrailersStatus, VERSION,
};
use ferrule_kit::{CalloutError, CalloutId, Event, Hold, Message, Reply, Wake};

use crate::config::{Export, ListenerHead, RouteHead, make};
use crate::errands::Errands;
use crate::stream::{Head, Hook, destroy as destroy_stream, finish, has_answered, has_left, tell};
use crate::{act, answer, envoy, stream};

/// Null, which fails the load, where the process lacks a callback.
pub fn program_init() -> *const c_char {
    match Callbacks::of_this_process() {
        Ok(callbacks) => {
            envoy::install(callbacks);
            envoy::log_panics();
            VERSION.as_ptr()
        }
        Err(error) => {
            // There may be no log to write to.
            eprintln!("ferrule needs Envoy 1.40 or later: {error}");
            std::ptr::null()
        }
    }
}

pub unsafe fn config_new(
    exports: &[Export],
    config: ConfigPtr,
    name: EnvoyBuffer,
    json: EnvoyBuffer,
) -> ModuleConfigPtr {
    // SAFETY: Envoy lends both until this hook returns.
    let (name, json) = unsafe { (name.bytes(), json.bytes()) };
    shielded(|| make(exports, name, |export| (export.listener)(config, json))).unwrap_or(std::ptr::null())
}

pub unsafe fn config_destroy(config: ModuleConfigPtr) {
    // SAFETY: `config_new` made it, with a head, and Envoy frees it once.
    shielded(|| unsafe { ((*config.cast::<ListenerHead>()).free)(config) });
}

pub unsafe fn per_route_config_new(
    exports: &[Export],
    name: EnvoyBuffer,
    json: EnvoyBuffer,
) -> ModuleRoutePtr {
    // SAFETY: Envoy lends both until this hook returns.
    let (name, json) = unsafe { (name.bytes(), json.bytes()) };
    shielded(|| make(exports, name, |export| (export.route)(json))).unwrap_or(std::ptr::null())
}

pub unsafe fn per_route_config_destroy(config: ModuleRoutePtr) {
    // SAFETY: `per_route_config_new` made it, with a head, and Envoy frees it once.
    shielded(|| unsafe { ((*config.cast::<RouteHead>()).free)(config) });
}

pub unsafe fn new(config: ModuleConfigPtr, filter: FilterPtr) -> ModuleStreamPtr {
    // SAFETY: `config_new` made the configuration, with a head, and Envoy frees it after its streams.
    unsafe { ((*config.cast::<ListenerHead>()).open)(config, filter) }
}

pub unsafe fn request_headers(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> HeadersStatus {
    // SAFETY: as the module says; the stream is not touched after it was answered.
    unsafe {
        if let Some(ready) = stream::ask(stream, filter, end) {
            answer::give(filter, stream, &*ready);
            return HeadersStatus::StopIteration;
        }
        headers(filter, stream, Message::Request, end)
    }
}

pub unsafe fn response_headers(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> HeadersStatus {
    // SAFETY: as the module says.
    unsafe { headers(filter, stream, Message::Response, end) }
}

pub unsafe fn request_body(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> DataStatus {
    // SAFETY: as the module says.
    unsafe { data(filter, stream, Message::Request, end) }
}

pub unsafe fn response_body(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> DataStatus {
    // SAFETY: as the module says.
    unsafe { data(filter, stream, Message::Response, end) }
}

pub unsafe fn request_trailers(filter: FilterPtr, stream: ModuleStreamPtr) -> TrailersStatus {
    // SAFETY: as the module says.
    unsafe { trailers(filter, stream, Message::Request) }
}

pub unsafe fn response_trailers(filter: FilterPtr, stream: ModuleStreamPtr) -> TrailersStatus {
    // SAFETY: as the module says.
    unsafe { trailers(filter, stream, Message::Response) }
}

#[allow(clippy::too_many_arguments)]
pub unsafe fn http_callout_done(
    filter: FilterPtr,
    stream: ModuleStreamPtr,
    id: u64,
    result: CalloutResult,
    lines: *const HttpHeader,
    line_count: usize,
    body: *const EnvoyBuffer,
    chunk_count: usize,
) {
    let reply = match result {
        // SAFETY: Envoy lends lines and chunks until this hook returns.
        CalloutResult::SUCCESS => Ok(unsafe { reply_of(lines, line_count, body, chunk_count) }),
        CalloutResult::EXCEED_RESPONSE_BUFFER_LIMIT => Err(CalloutError::TooLarge),
        _ => Err(CalloutError::Reset),
    };
    // SAFETY: as the module says.
    unsafe {
        let step = tell(stream, filter, Hook::Reply, Event::Reply { id: CalloutId(id), reply });
        act::after_reply(filter, stream, step);
    }
}

/// There is something to send off.
pub unsafe fn config_scheduled(config: ConfigPtr, own: ModuleConfigPtr, _event: u64) {
    // SAFETY: as the module says.
    shielded(|| unsafe { errands(own).start(config) });
}

pub unsafe fn config_http_stream_headers(
    config: ConfigPtr,
    own: ModuleConfigPtr,
    id: u64,
    lines: *const HttpHeader,
    count: usize,
    end: bool,
) {
    // SAFETY: as the module says; Envoy lends the lines until this hook returns.
    unsafe {
        let enough = shielded(|| errands(own).on_headers(id, array(lines, count), end)).unwrap_or(true);
        drop_rest(config, id, enough);
    }
}

pub unsafe fn config_http_stream_data(
    config: ConfigPtr,
    own: ModuleConfigPtr,
    id: u64,
    chunks: *const EnvoyBuffer,
    count: usize,
    end: bool,
) {
    // SAFETY: as the module says; Envoy lends the chunks until this hook returns.
    unsafe {
        let enough = shielded(|| errands(own).on_data(id, array(chunks, count), end)).unwrap_or(true);
        drop_rest(config, id, enough);
    }
}

pub unsafe fn config_http_stream_trailers(
    _: ConfigPtr,
    own: ModuleConfigPtr,
    id: u64,
    _: *const HttpHeader,
    _: usize,
) {
    // SAFETY: as the module says.
    shielded(|| unsafe { errands(own) }.on_trailers(id));
}

pub unsafe fn config_http_stream_complete(_: ConfigPtr, own: ModuleConfigPtr, id: u64) {
    // SAFETY: as the module says.
    shielded(|| unsafe { errands(own) }.on_end(id));
}

pub unsafe fn config_http_stream_reset(_: ConfigPtr, own: ModuleConfigPtr, id: u64, _reason: u32) {
    // SAFETY: as the module says.
    shielded(|| unsafe { errands(own) }.on_end(id));
}

/// # Safety
/// `config_new` made the configuration, with a head, and it is not destroyed yet.
unsafe fn errands<'a>(own: ModuleConfigPtr) -> &'a Errands {
    // SAFETY: the caller vouches for it.
    unsafe { &(*own.cast::<ListenerHead>()).errands }
}

/// # Safety
/// `config` is alive, and the request is under way if `enough` is said of it.
unsafe fn drop_rest(config: ConfigPtr, id: u64, enough: bool) {
    if let Some(callbacks) = envoy::callbacks().filter(|_| enough) {
        // SAFETY: the caller vouches for it.
        unsafe { (callbacks.http_filter_config_reset_http_stream)(config, id) };
    }
}

/// The stream was woken.
pub unsafe fn scheduled(filter: FilterPtr, stream: ModuleStreamPtr, _event: u64) {
    // SAFETY: as the module says.
    unsafe {
        if has_left(stream) {
            return;
        }
        let head = &*stream.cast::<Head>();
        head.woke();
        if head.answer.awaits_more() {
            return answer::send(filter, stream);
        }
        let step = tell(stream, filter, Hook::Reply, Event::Woken);
        act::after_reply(filter, stream, step);
    }
}

pub unsafe fn downstream_above_write_buffer_high_watermark(_: FilterPtr, stream: ModuleStreamPtr) {
    // SAFETY: as the module says.
    unsafe { (*stream.cast::<Head>()).answer.set_full(true) };
}

/// Envoy walks a list of whom to tell of this, from which a stream that ends takes itself out: nothing is sent from here.
pub unsafe fn downstream_below_write_buffer_low_watermark(filter: FilterPtr, stream: ModuleStreamPtr) {
    // SAFETY: as the module says.
    unsafe {
        let head = &*stream.cast::<Head>();
        head.answer.set_full(false);
        if head.answer.awaits_more()
            && let Some(scheduler) = head.scheduler(filter)
        {
            scheduler.wake();
        }
    }
}

pub unsafe fn local_reply(
    filter: FilterPtr,
    stream: ModuleStreamPtr,
    status: u32,
    details: EnvoyBuffer,
    _reset: bool,
) -> LocalReplyStatus {
    // SAFETY: as the module says; Envoy lends the details until this hook returns.
    unsafe {
        if has_left(stream) {
            return LocalReplyStatus::Continue;
        }
        let details = String::from_utf8_lossy(details.bytes());
        let status = u16::try_from(status).unwrap_or(500);
        tell(stream, filter, Hook::Other, Event::LocalReply { status, details: &details });
    }
    LocalReplyStatus::Continue
}

pub unsafe fn stream_complete(filter: FilterPtr, stream: ModuleStreamPtr) {
    // SAFETY: as the module says.
    if !unsafe { has_left(stream) } {
        // SAFETY: as the module says.
        shielded(|| unsafe { finish(stream, filter) });
    }
}

pub unsafe fn destroy(stream: ModuleStreamPtr) {
    // SAFETY: as the module says.
    shielded(|| unsafe { destroy_stream(stream) });
}

#[inline]
unsafe fn headers(filter: FilterPtr, stream: ModuleStreamPtr, message: Message, end: bool) -> HeadersStatus {
    // SAFETY: as the module says; the head is read before the filter can have it freed.
    let step = unsafe {
        if has_left(stream) || has_answered(stream) {
            return HeadersStatus::Continue;
        }
        (*stream.cast::<Head>()).update(message, |course| course.ended |= end);
        tell(stream, filter, Hook::Headers(message), Event::Headers { message, end })
    };
    // SAFETY: as the module says.
    match unsafe { act::after_hook(filter, stream, message, step) } {
        None => HeadersStatus::Continue,
        Some(_) => HeadersStatus::StopIteration,
    }
}

#[inline]
unsafe fn data(filter: FilterPtr, stream: ModuleStreamPtr, message: Message, end: bool) -> DataStatus {
    // SAFETY: as in `headers`.
    let step = unsafe {
        if has_left(stream) {
            return DataStatus::Continue;
        }
        if has_answered(stream) {
            let answered = message == Message::Request;
            return if answered { DataStatus::StopIterationNoBuffer } else { DataStatus::Continue };
        }
        (*stream.cast::<Head>()).update(message, |course| course.ended |= end);
        tell(stream, filter, Hook::Data(message), Event::Data { message, end })
    };
    // SAFETY: as the module says.
    match unsafe { act::after_hook(filter, stream, message, step) } {
        None => DataStatus::Continue,
        Some(act::Stopped::Held(Hold::Body)) => DataStatus::StopIterationAndBuffer,
        Some(act::Stopped::Held(Hold::Stream)) => DataStatus::StopIterationAndWatermark,
        Some(act::Stopped::Over) => DataStatus::StopIterationNoBuffer,
    }
}

#[inline]
unsafe fn trailers(filter: FilterPtr, stream: ModuleStreamPtr, message: Message) -> TrailersStatus {
    // SAFETY: as in `headers`.
    let step = unsafe {
        if has_left(stream) {
            return TrailersStatus::Continue;
        }
        if has_answered(stream) {
            let answered = message == Message::Request;
            return if answered { TrailersStatus::StopIteration } else { TrailersStatus::Continue };
        }
        (*stream.cast::<Head>()).update(message, |course| course.ended = true);
        tell(stream, filter, Hook::Trailers(message), Event::Trailers { message })
    };
    // SAFETY: as the module says.
    match unsafe { act::after_hook(filter, stream, message, step) } {
        None => TrailersStatus::Continue,
        Some(_) => TrailersStatus::StopIteration,
    }
}

/// # Safety
/// Both arrays are as long as said, and Envoy lends them and what they point to for `'a`.
unsafe fn reply_of<'a>(
    lines: *const HttpHeader,
    line_count: usize,
    body: *const EnvoyBuffer,
    chunk_count: usize,
) -> Reply<'a> {
    // SAFETY: the caller vouches for lengths and lifetimes.
    unsafe {
        let lines = array(lines, line_count).iter().map(|line| line.parts());
        let fields = lines.map(|(name, value)| (name.into(), value.into())).collect();
        let body = array(body, chunk_count).iter().map(|chunk| chunk.bytes().into()).collect();
        Reply { fields, body }
    }
}

/// # Safety
/// `first` is null or points to `count` values that stay as they are for `'a`.
unsafe fn array<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// Runs `work`, and swallows a panic, which must not unwind into Envoy; the panic hook has logged it.
fn shielded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
