//! What Envoy asks of a module: proxy-wasm ABI 0.2.1, those of its callbacks that are needed, because each costs.
//!
//! Envoy may call back while a module's call to it is under way: a body made larger than Envoy's buffer limit ends the
//! stream at once. The SDK for Rust panics then, which ends the VM and, in the middle of a callback, Envoy itself; this is
//! why it is not used here.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use ferrule_kit::Message;

use crate::hostcalls;
use crate::registry::{self, Callback};
use crate::wire::Action;

/// Says by its name which ABI this is.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Makes room for what Envoy gives; [`hostcalls`] frees it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast::<MaybeUninit<u8>>().cast()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    registry::create(id, parent);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, size: usize) -> bool {
    registry::plugin(id).is_some_and(|plugin| plugin.configure(size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _: usize, end: bool) -> Action {
    tell(id, Callback::Headers { message: Message::Request, end })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, length: usize, end: bool) -> Action {
    tell(id, Callback::Data { message: Message::Request, length, end })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _: usize) -> Action {
    tell(id, Callback::Trailers { message: Message::Request })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _: usize, end: bool) -> Action {
    tell(id, Callback::Headers { message: Message::Response, end })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, length: usize, end: bool) -> Action {
    tell(id, Callback::Data { message: Message::Response, length, end })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> Action {
    tell(id, Callback::Trailers { message: Message::Response })
}

/// Envoy names the plugin here, not the stream that has made the callout.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(_: u32, token: u32, fields: usize, length: usize, _: usize) {
    if let Some((id, stream)) = registry::awaiting(token) {
        hostcalls::act_for(id);
        stream.on(Callback::Reply { token, fields, length });
    }
}

/// The stream is over, and Envoy's access logs have not been written yet, so that they can show what the filter makes of it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    tell(id, Callback::Over);
}

/// The last callback about a context; `proxy_on_done`, before it, would say nothing more.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    if let Some(stream) = registry::remove(id) {
        stream.on(Callback::Gone);
    }
}

/// A stream without a configuration is unknown here and passes.
fn tell(id: u32, callback: Callback) -> Action {
    registry::stream(id).map_or(Action::Continue, |stream| stream.on(callback))
}
