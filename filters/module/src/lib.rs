//! Makes an Envoy dynamic module of filters: [`export!`] in a `cdylib` crate is all it takes.
//!
//! ```ignore
//! ferrule_module::export!(MyFilter, MyOtherFilter);
//! ```
//!
//! Invariants:
//! - The adapter decides nothing: a hook becomes an [`ferrule_kit::Event`], the [`ferrule_kit::Step`] that the driver
//!   gives back becomes a status or a callback.
//! - Envoy may re-enter a stream's hooks, or free the stream, while it answers, resumes or resets. So the adapter calls
//!   those callbacks only after the filter has returned and nothing of the stream is borrowed or read any more; a hook
//!   that comes while the filter runs leaves the filter alone.
//! - Nothing unwinds into Envoy.
//! - `config_new` has no effect outside of Envoy, so validation (`envoy --mode validate`) needs no mode of its own.

#![allow(unsafe_code)]

mod act;
mod alarm;
mod answer;
mod attributes;
mod body;
mod config;
#[doc(hidden)]
pub mod early;
mod envoy;
mod errands;
#[cfg(test)]
mod fake;
#[doc(hidden)]
pub mod hooks;
mod host;
mod metadata;
mod metrics;
mod secrets;
mod stream;
mod structure;
#[cfg(test)]
mod tests;
mod waking;

pub use config::Export;
pub use early::EarlyExport;

#[doc(hidden)]
pub use ferrule_abi as abi;

/// Exports filters as an Envoy dynamic module: emits every hook that Envoy looks up. Once a `cdylib` crate.
///
/// Each argument is a type that implements [`ferrule_kit::Filter`]; Envoy finds it by its `NAME` as `filter_name`.
#[macro_export]
macro_rules! export {
    ($($filter:ty),* $(,)?) => {
        /// The hooks that Envoy looks up by name.
        #[allow(unsafe_code, missing_docs, unreachable_pub, clippy::missing_safety_doc)]
        mod envoy_dynamic_module {
            #[allow(unused_imports)]
            use super::*;
            use $crate::abi::*;

            static EXPORTS: &[$crate::Export] = &[$($crate::Export::of::<$filter>()),*];

            #[unsafe(no_mangle)]
            pub extern "C" fn envoy_dynamic_module_on_program_init() -> *const ::std::ffi::c_char {
                $crate::hooks::program_init()
            }

            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
                config: ConfigPtr, name: EnvoyBuffer, json: EnvoyBuffer,
            ) -> ModuleConfigPtr {
                // SAFETY: Envoy calls each hook as the ABI says.
                unsafe { $crate::hooks::config_new(EXPORTS, config, name, json) }
            }

            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
                name: EnvoyBuffer, json: EnvoyBuffer,
            ) -> ModuleRoutePtr {
                // SAFETY: Envoy calls each hook as the ABI says.
                unsafe { $crate::hooks::per_route_config_new(EXPORTS, name, json) }
            }

            $crate::export_hooks! {
                config_destroy(config: ModuleConfigPtr);
                per_route_config_destroy(config: ModuleRoutePtr);
                new(config: ModuleConfigPtr, filter: FilterPtr) -> ModuleStreamPtr;
                request_headers(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> HeadersStatus;
                request_body(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> DataStatus;
                request_trailers(filter: FilterPtr, stream: ModuleStreamPtr) -> TrailersStatus;
                response_headers(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> HeadersStatus;
                response_body(filter: FilterPtr, stream: ModuleStreamPtr, end: bool) -> DataStatus;
                response_trailers(filter: FilterPtr, stream: ModuleStreamPtr) -> TrailersStatus;
                http_callout_done(
                    filter: FilterPtr, stream: ModuleStreamPtr, id: u64, result: CalloutResult,
                    lines: *const HttpHeader, line_count: usize, body: *const EnvoyBuffer, chunk_count: usize,
                );
                local_reply(
                    filter: FilterPtr, stream: ModuleStreamPtr, status: u32, details: EnvoyBuffer, reset: bool,
                ) -> LocalReplyStatus;
                config_scheduled(config: ConfigPtr, own: ModuleConfigPtr, event: u64);
                config_http_stream_headers(
                    config: ConfigPtr, own: ModuleConfigPtr, id: u64, lines: *const HttpHeader, count: usize, end: bool,
                );
                config_http_stream_data(
                    config: ConfigPtr, own: ModuleConfigPtr, id: u64, chunks: *const EnvoyBuffer, count: usize, end: bool,
                );
                config_http_stream_trailers(
                    config: ConfigPtr, own: ModuleConfigPtr, id: u64, lines: *const HttpHeader, count: usize,
                );
                config_http_stream_complete(config: ConfigPtr, own: ModuleConfigPtr, id: u64);
                config_http_stream_reset(config: ConfigPtr, own: ModuleConfigPtr, id: u64, reason: u32);
                scheduled(filter: FilterPtr, stream: ModuleStreamPtr, event: u64);
                downstream_above_write_buffer_high_watermark(filter: FilterPtr, stream: ModuleStreamPtr);
                downstream_below_write_buffer_low_watermark(filter: FilterPtr, stream: ModuleStreamPtr);
                stream_complete(filter: FilterPtr, stream: ModuleStreamPtr);
                destroy(stream: ModuleStreamPtr);
            }

            // Required of a module, but no filter of ours asks for what they tell.
            $crate::export_idle_hooks! {
                http_stream_headers(FilterPtr, ModuleStreamPtr, u64, *const HttpHeader, usize, bool);
                http_stream_data(FilterPtr, ModuleStreamPtr, u64, *const EnvoyBuffer, usize, bool);
                http_stream_trailers(FilterPtr, ModuleStreamPtr, u64, *const HttpHeader, usize);
                http_stream_complete(FilterPtr, ModuleStreamPtr, u64);
                http_stream_reset(FilterPtr, ModuleStreamPtr, u64, u32);
            }
        }
    };
}

/// Exports what edits requests before they have a route. At most once a `cdylib` crate, beside [`export!`].
///
/// Each argument is a type that implements [`ferrule_kit::Early`]; Envoy finds it by its `NAME`.
#[macro_export]
macro_rules! export_early {
    ($($early:ty),* $(,)?) => {
        /// The hooks of early header mutation.
        #[allow(unsafe_code, missing_docs, unreachable_pub, clippy::missing_safety_doc)]
        mod envoy_early_header_mutation {
            #[allow(unused_imports)]
            use super::*;
            use $crate::abi::*;

            static EXPORTS: &[$crate::EarlyExport] = &[$($crate::EarlyExport::of::<$early>()),*];

            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn envoy_dynamic_module_on_early_header_mutation_config_new(
                _: ConfigPtr, name: EnvoyBuffer, json: EnvoyBuffer,
            ) -> ModuleConfigPtr {
                // SAFETY: Envoy calls each hook as the ABI says.
                unsafe { $crate::early::config_new(EXPORTS, name, json) }
            }

            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn envoy_dynamic_module_on_early_header_mutation_config_destroy(
                config: ModuleConfigPtr,
            ) {
                // SAFETY: Envoy calls each hook as the ABI says.
                unsafe { $crate::early::config_destroy(config) }
            }

            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn envoy_dynamic_module_on_early_header_mutation_mutate(
                config: ModuleConfigPtr, request: RequestPtr,
            ) -> bool {
                // SAFETY: Envoy calls each hook as the ABI says.
                unsafe { $crate::early::mutate(config, request) }
            }
        }
    };
}

/// Emits hooks that call the function of the same name in [`hooks`].
#[doc(hidden)]
#[macro_export]
macro_rules! export_hooks {
    ($($name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {$(
        #[unsafe(export_name = concat!("envoy_dynamic_module_on_http_filter_", stringify!($name)))]
        pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
            // SAFETY: Envoy calls each hook as the ABI says.
            unsafe { $crate::hooks::$name($($arg),*) }
        }
    )*};
}

/// Emits hooks that do nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! export_idle_hooks {
    ($($name:ident($($type:ty),*);)*) => {$(
        #[unsafe(export_name = concat!("envoy_dynamic_module_on_http_filter_", stringify!($name)))]
        pub extern "C" fn $name($(_: $type),*) {}
    )*};
}
