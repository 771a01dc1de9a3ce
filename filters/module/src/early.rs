//! Early header mutation: the hooks, and a request that has no route yet.
//!
//! # Safety
//! Every hook is to be called as Envoy's `abi.h` says: with pointers that Envoy and this module gave each other and that
//! are still alive.

#![allow(missing_docs, clippy::missing_safety_doc)]

use std::borrow::Cow;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock};

use ferrule_abi::{Callbacks, EnvoyBuffer, ModuleConfigPtr, RequestPtr};
use ferrule_kit::{ConfigError, Early, Level, Octets, RequestHead, compile_early};

use crate::envoy;

/// One entry of a module's list.
#[derive(Clone, Copy, Debug)]
pub struct EarlyExport {
    name: &'static str,
    new: fn(&[u8]) -> Result<*const c_void, ConfigError>,
}

impl EarlyExport {
    /// The entry of `E`.
    pub const fn of<E: Early>() -> Self {
        Self { name: E::NAME, new: new::<E> }
    }
}

#[repr(C)]
struct Config<E> {
    head: Head,
    early: E,
}

/// The part of a [`Config`] that is the same for every type.
#[repr(C)]
struct Head {
    edit: unsafe fn(*const c_void, &mut dyn RequestHead),
    free: unsafe fn(*const c_void),
}

type Again = fn(&mut dyn RequestHead);

/// What of this module has edited requests, and edits them again when their route is selected anew.
static AGAIN: RwLock<Vec<Again>> = RwLock::new(Vec::new());

/// Edits a request again whose route is about to be selected anew.
pub(crate) fn edit_again(request: &mut dyn RequestHead) {
    for again in AGAIN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        again(request);
    }
}

fn remember(again: Again) {
    let mut known = AGAIN.write().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|other| std::ptr::fn_addr_eq(*other, again)) {
        known.push(again);
    }
}

fn new<E: Early>(json: &[u8]) -> Result<*const c_void, ConfigError> {
    remember(E::edit_again);
    let head = Head { edit: edit::<E>, free: free::<E> };
    Ok(Box::into_raw(Box::new(Config { head, early: compile_early::<E>(json)? })).cast_const().cast())
}

/// # Safety
/// `config` came from [`new`] of `E` and is not freed yet.
unsafe fn edit<E: Early>(config: *const c_void, request: &mut dyn RequestHead) {
    // SAFETY: the caller vouches for it.
    unsafe { &*config.cast::<Config<E>>() }.early.edit(request);
}

/// # Safety
/// As for [`edit`].
unsafe fn free<E: Early>(config: *const c_void) {
    // SAFETY: the caller vouches for it.
    drop(unsafe { Box::from_raw(config.cast_mut().cast::<Config<E>>()) });
}

pub unsafe fn config_new(exports: &[EarlyExport], name: EnvoyBuffer, json: EnvoyBuffer) -> ModuleConfigPtr {
    // SAFETY: Envoy lends both until this hook returns.
    let (name, json) = unsafe { (name.bytes(), json.bytes()) };
    let Some(export) = exports.iter().find(|export| export.name.as_bytes() == name) else {
        let name = String::from_utf8_lossy(name);
        envoy::log(Level::Error, &name, "no early header mutation of this name in this module");
        return std::ptr::null();
    };
    let made = catch_unwind(|| (export.new)(json)).unwrap_or_else(|_| Err(ConfigError::new("", "panicked")));
    made.unwrap_or_else(|error| {
        envoy::log(Level::Error, export.name, &format!("configuration of {}: {error}", export.name));
        std::ptr::null()
    })
}

pub unsafe fn config_destroy(config: ModuleConfigPtr) {
    // SAFETY: `config_new` made it, with a head, and Envoy frees it once.
    let _ = catch_unwind(|| unsafe { ((*config.cast::<Head>()).free)(config) });
}

/// Always true: extensions after this one run, too.
pub unsafe fn mutate(config: ModuleConfigPtr, request: RequestPtr) -> bool {
    let Some(envoy) = envoy::callbacks() else { return true };
    let mut request = NativeRequest { envoy, request };
    // SAFETY: `config_new` made it, with a head, and Envoy frees it after the requests.
    let _ = catch_unwind(AssertUnwindSafe(|| unsafe {
        ((*config.cast::<Head>()).edit)(config, &mut request);
    }));
    true
}

struct NativeRequest {
    envoy: &'static Callbacks,
    request: RequestPtr,
}

impl RequestHead for NativeRequest {
    fn field(&self, name: &str) -> Option<Octets<'_>> {
        let (mut value, mut total) = (EnvoyBuffer::EMPTY, 0);
        // SAFETY: the request is alive while the hook runs, the out-parameters are ours, and Envoy lends the value until
        // the next edit, which takes this value's borrow.
        unsafe {
            let get = self.envoy.early_header_mutation_get_header_value;
            get(self.request, name.into(), &raw mut value, 0, &raw mut total)
                .then(|| Cow::Borrowed(value.bytes()))
        }
    }

    fn set_field(&mut self, name: &str, value: &[u8]) {
        // SAFETY: the request is alive while the hook runs, and both buffers outlive the call.
        unsafe { (self.envoy.early_header_mutation_set_header)(self.request, name.into(), value.into()) };
    }
}
