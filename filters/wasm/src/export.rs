//! What makes a crate a module: the entry that Envoy calls first.

/// Exports a filter as a proxy-wasm module. Once a `cdylib` crate; on targets other than wasm it does nothing.
///
/// The argument is a type that implements [`ferrule_kit::Filter`].
#[macro_export]
macro_rules! export {
    ($filter:ty $(,)?) => {
        /// The entry that Envoy calls by name.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        mod proxy_wasm_module {
            #[allow(unused_imports)]
            use super::*;

            #[unsafe(no_mangle)]
            pub extern "C" fn _initialize() {
                $crate::install::<$filter>();
            }
        }
    };
}
