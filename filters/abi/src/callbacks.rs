//! Envoy's side of the ABI: the functions that a module may call.

use std::ffi::{CStr, c_void};

use crate::{
    BodyType, CalloutInit, ConfigPtr, EnvoyBuffer, FilterPtr, HeaderType, HttpHeader, LogLevel,
    MetadataSource, MetricsResult, ModuleBuffer, ModuleRoutePtr, RequestPtr, SchedulerPtr, SpanPtr,
    StreamReset,
};

/// This Envoy is too old, or is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process does not export {0}")]
pub struct MissingCallback(pub String);

macro_rules! callbacks {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// Envoy's functions, each named as in the C header without its prefix `envoy_dynamic_module_callback_`.
        ///
        /// All of them may be called only from the thread of the hook that gave the pointer, and while it runs.
        #[derive(Clone, Copy, Debug)]
        pub struct Callbacks {
            $($(#[$doc])* pub $name: unsafe extern "C" fn($($arg: $type),*) $(-> $result)?,)*
        }

        impl Callbacks {
            /// Names of all symbols, in the order of the fields.
            pub const SYMBOLS: &'static [&'static CStr] = &[$(symbol(
                concat!("envoy_dynamic_module_callback_", stringify!($name), "\0"),
            )),*];

            /// The functions that `lookup` finds.
            ///
            /// # Errors
            /// Names the first symbol that `lookup` answered with null.
            ///
            /// # Safety
            /// What `lookup` finds under a name is the function that Envoy's `abi.h` declares under that name.
            pub unsafe fn resolve(lookup: impl Fn(&CStr) -> *mut c_void) -> Result<Self, MissingCallback> {
                $(let $name = find(
                    symbol(concat!("envoy_dynamic_module_callback_", stringify!($name), "\0")), &lookup)?;)*
                // SAFETY: none is null, and the caller vouches for their types.
                Ok(unsafe { Self { $($name: std::mem::transmute::<
                    *mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>($name),)* } })
            }
        }
    };
}

callbacks! {
    /// Writes a line to Envoy's log. From any thread.
    fn log_v2(level: LogLevel, line: ModuleBuffer, file: ModuleBuffer, number: u32);
    /// Whether a line of this level would be written. From any thread.
    fn log_enabled(level: LogLevel) -> bool;

    /// The `index`th value of a header of a request that has no route yet; `total` is written even where there is none.
    fn early_header_mutation_get_header_value(
        request: RequestPtr, name: ModuleBuffer, value: *mut EnvoyBuffer, index: usize, total: *mut usize,
    ) -> bool;
    /// Puts one line in the place of all of that name.
    fn early_header_mutation_set_header(request: RequestPtr, name: ModuleBuffer, value: ModuleBuffer) -> bool;

    /// Defines a counter; only inside `config_new`. `id` is written on success.
    fn http_filter_config_define_counter(
        config: ConfigPtr, name: ModuleBuffer, labels: *mut ModuleBuffer, count: usize, id: *mut usize,
    ) -> MetricsResult;
    /// Adds to a counter; as many label values as it was defined with names.
    fn http_filter_increment_counter(
        filter: FilterPtr, id: usize, labels: *mut ModuleBuffer, count: usize, by: u64,
    ) -> MetricsResult;
    /// Defines a histogram; only inside `config_new`. `id` is written on success.
    fn http_filter_config_define_histogram(
        config: ConfigPtr, name: ModuleBuffer, labels: *mut ModuleBuffer, count: usize, id: *mut usize,
    ) -> MetricsResult;
    /// Adds a value to a histogram; as many label values as it was defined with names.
    fn http_filter_record_histogram_value(
        filter: FilterPtr, id: usize, labels: *mut ModuleBuffer, count: usize, value: u64,
    ) -> MetricsResult;

    /// Has the configuration follow a generic secret; only inside `config_new`. `source` is JSON of an
    /// `envoy.config.core.v3.ConfigSource`, or empty for a static secret of the bootstrap. Gives an id from 1, 0 on failure.
    fn http_filter_config_generic_secret_subscribe(
        config: ConfigPtr, name: ModuleBuffer, source: ModuleBuffer,
    ) -> usize;
    /// What a secret is now; empty as long as it has not come.
    fn http_filter_get_generic_secret(filter: FilterPtr, id: usize, value: *mut EnvoyBuffer) -> bool;

    /// The `index`th value of a header; `total` is written even where there is none.
    fn http_get_header(
        filter: FilterPtr, section: HeaderType, name: ModuleBuffer, value: *mut EnvoyBuffer, index: usize,
        total: *mut usize,
    ) -> bool;
    /// How many field lines a section has; 0 where it has not arrived.
    fn http_get_headers_size(filter: FilterPtr, section: HeaderType) -> usize;
    /// All field lines; `lines` has room for as many as `http_get_headers_size` said.
    fn http_get_headers(filter: FilterPtr, section: HeaderType, lines: *mut HttpHeader) -> bool;
    /// Puts one line in the place of all of that name; a null or empty value removes them.
    fn http_set_header(filter: FilterPtr, section: HeaderType, name: ModuleBuffer, value: ModuleBuffer) -> bool;
    /// Appends a line; not one with an empty value.
    fn http_add_header(filter: FilterPtr, section: HeaderType, name: ModuleBuffer, value: ModuleBuffer) -> bool;

    /// Bytes of a body.
    fn http_get_body_size(filter: FilterPtr, body: BodyType) -> usize;
    /// Chunks of a body.
    fn http_get_body_chunks_size(filter: FilterPtr, body: BodyType) -> usize;
    /// The chunks; `chunks` has room for as many as `http_get_body_chunks_size` said.
    fn http_get_body_chunks(filter: FilterPtr, body: BodyType, chunks: *mut EnvoyBuffer) -> bool;
    /// Appends bytes. A buffered body that does not exist yet begins with them.
    fn http_append_body(filter: FilterPtr, body: BodyType, bytes: ModuleBuffer) -> bool;
    /// Takes bytes off the front.
    fn http_drain_body(filter: FilterPtr, body: BodyType, bytes: usize) -> bool;
    /// Whether received and buffered body are one and the same, because a filter before this one held it.
    fn http_received_buffered_request_body(filter: FilterPtr) -> bool;
    /// Whether received and buffered body are one and the same, because a filter before this one held it.
    fn http_received_buffered_response_body(filter: FilterPtr) -> bool;
    /// How many bytes Envoy buffers of one message; 0 for no limit.
    fn http_get_buffer_limit(filter: FilterPtr) -> u64;

    /// A string of metadata.
    fn http_get_metadata_string(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer,
        value: *mut EnvoyBuffer,
    ) -> bool;
    /// A number of metadata.
    fn http_get_metadata_number(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, value: *mut f64,
    ) -> bool;
    /// A truth value of metadata.
    fn http_get_metadata_bool(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, value: *mut bool,
    ) -> bool;
    /// The length of a list of metadata; false where it is none.
    fn http_get_metadata_list_size(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, size: *mut usize,
    ) -> bool;
    /// A string in a list of metadata.
    fn http_get_metadata_list_string(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, index: usize,
        value: *mut EnvoyBuffer,
    ) -> bool;
    /// A number in a list of metadata.
    fn http_get_metadata_list_number(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, index: usize,
        value: *mut f64,
    ) -> bool;
    /// A truth value in a list of metadata.
    fn http_get_metadata_list_bool(
        filter: FilterPtr, source: MetadataSource, namespace: ModuleBuffer, key: ModuleBuffer, index: usize,
        value: *mut bool,
    ) -> bool;
    /// Sets a string of dynamic metadata.
    fn http_set_dynamic_metadata_string(
        filter: FilterPtr, namespace: ModuleBuffer, key: ModuleBuffer, value: ModuleBuffer,
    );
    /// Sets a number of dynamic metadata.
    fn http_set_dynamic_metadata_number(
        filter: FilterPtr, namespace: ModuleBuffer, key: ModuleBuffer, value: f64,
    );
    /// Sets a truth value of dynamic metadata.
    fn http_set_dynamic_metadata_bool(
        filter: FilterPtr, namespace: ModuleBuffer, key: ModuleBuffer, value: bool,
    );
    /// Sets all keys of a serialized `google.protobuf.Struct`, each in the place of what it was; other keys stay. Bytes that
    /// are no such message set nothing.
    fn http_set_dynamic_metadata_struct(filter: FilterPtr, namespace: ModuleBuffer, fields: ModuleBuffer);

    /// An attribute that is a string.
    fn http_filter_get_attribute_string(filter: FilterPtr, id: u32, value: *mut EnvoyBuffer) -> bool;
    /// An attribute that is an integer.
    fn http_filter_get_attribute_int(filter: FilterPtr, id: u32, value: *mut u64) -> bool;
    /// An attribute that is a truth value.
    fn http_filter_get_attribute_bool(filter: FilterPtr, id: u32, value: *mut bool) -> bool;

    /// The configuration of the route, virtual host or route table, whichever is nearest; null for none.
    fn get_most_specific_route_config(filter: FilterPtr) -> ModuleRoutePtr;

    /// Has the route selected anew when it is asked for next.
    fn http_clear_route_cache(filter: FilterPtr);

    /// The span of the stream; null where it is not traced.
    fn http_get_active_span(filter: FilterPtr) -> SpanPtr;
    /// Names a span.
    fn http_span_set_operation(span: SpanPtr, name: ModuleBuffer);

    /// Starts a request to a cluster; `id` is written on success. A timeout of 0 ms means none.
    fn http_filter_http_callout(
        filter: FilterPtr, id: *mut u64, cluster: ModuleBuffer, lines: *mut HttpHeader, count: usize,
        body: ModuleBuffer, timeout_ms: u64,
    ) -> CalloutInit;

    /// Answers the client. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_send_response(
        filter: FilterPtr, status: u32, lines: *mut HttpHeader, count: usize, body: ModuleBuffer,
        details: ModuleBuffer,
    );
    /// Begins an answer, `:status` among its lines. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_send_response_headers(filter: FilterPtr, lines: *mut HttpHeader, count: usize, end: bool);
    /// Sends bytes of the answer begun. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_send_response_data(filter: FilterPtr, bytes: ModuleBuffer, end: bool);

    /// Makes what has the stream's `scheduled` hook called; the module deletes it.
    fn http_filter_scheduler_new(filter: FilterPtr) -> SchedulerPtr;
    /// Has the hook called on the stream's worker, if the stream still is there. From any thread.
    fn http_filter_scheduler_commit(scheduler: SchedulerPtr, event: u64);
    /// From any thread.
    fn http_filter_scheduler_delete(scheduler: SchedulerPtr);

    /// Makes what has the configuration's `config_scheduled` hook called; the module deletes it.
    fn http_filter_config_scheduler_new(config: ConfigPtr) -> SchedulerPtr;
    /// Has the hook called on the main thread, if the configuration still is there. From any thread.
    fn http_filter_config_scheduler_commit(scheduler: SchedulerPtr, event: u64);
    /// From any thread.
    fn http_filter_config_scheduler_delete(scheduler: SchedulerPtr);
    /// Starts a request that belongs to no stream, on the main thread; `id` is written on success. A timeout of 0 ms means none. May
    /// run the hooks about its answer before it returns.
    fn http_filter_config_start_http_stream(
        config: ConfigPtr, id: *mut u64, cluster: ModuleBuffer, lines: *mut HttpHeader, count: usize,
        body: ModuleBuffer, end: bool, timeout_ms: u64,
    ) -> CalloutInit;
    /// Drops such a request, on the main thread. May run the hook about that before it returns.
    fn http_filter_config_reset_http_stream(config: ConfigPtr, id: u64);

    /// Lets the request go on. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_filter_continue_decoding(filter: FilterPtr);
    /// Lets the response go on. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_filter_continue_encoding(filter: FilterPtr);
    /// Resets the stream. May run other hooks of this stream, `destroy` among them, before it returns.
    fn http_filter_reset_stream(filter: FilterPtr, reason: StreamReset, details: ModuleBuffer);
}

impl Callbacks {
    /// The functions that the running Envoy exports.
    ///
    /// # Errors
    /// Names the first symbol that is missing: the process is no Envoy, or one older than 1.40.
    pub fn of_this_process() -> Result<Self, MissingCallback> {
        // SAFETY: `dlsym` takes any NUL-terminated name; no one but Envoy exports names with this prefix.
        unsafe { Self::resolve(|name| libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr())) }
    }
}

const fn symbol(terminated: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(terminated.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

fn find(name: &CStr, lookup: &impl Fn(&CStr) -> *mut c_void) -> Result<*mut c_void, MissingCallback> {
    match lookup(name) {
        found if found.is_null() => Err(MissingCallback(name.to_string_lossy().into_owned())),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_envoy_is_told_apart() {
        let missing = Callbacks::of_this_process().unwrap_err();
        assert_eq!(missing.0, "envoy_dynamic_module_callback_log_v2");
    }

    #[test]
    fn a_single_missing_symbol_is_named() {
        let last = *Callbacks::SYMBOLS.last().unwrap();
        let lookup = |name: &CStr| if name == last { std::ptr::null_mut() } else { std::ptr::dangling_mut() };
        // SAFETY: the functions found are never called.
        let missing = unsafe { Callbacks::resolve(lookup) }.unwrap_err();
        assert_eq!(missing.0, "envoy_dynamic_module_callback_http_filter_reset_stream");
    }
}
