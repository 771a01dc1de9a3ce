//! Configurations as Envoy holds them: behind thin pointers, of a type that only their head knows.

use std::any::TypeId;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use ferrule_abi::{ConfigPtr, FilterPtr, ModuleStreamPtr};
use ferrule_kit::{Callout, ConfigError, ConfigHost, Errand, Filter, Level, compile};

use crate::errands::Errands;
use crate::metrics::Metrics;
use crate::secrets::Secrets;
use crate::{alarm, envoy, stream};

/// One filter of a module's list: how to make its configurations.
#[derive(Clone, Copy, Debug)]
pub struct Export {
    pub(crate) name: &'static str,
    pub(crate) listener: fn(ConfigPtr, &[u8]) -> Result<*const c_void, ConfigError>,
    pub(crate) route: fn(&[u8]) -> Result<*const c_void, ConfigError>,
    stream_size: usize,
}

impl Export {
    /// The entry of `F`.
    pub const fn of<F: Filter>() -> Self {
        Self {
            name: F::NAME,
            listener: new_listener::<F>,
            route: new_route::<F>,
            stream_size: stream::size::<F>(),
        }
    }

    /// Bytes that the module holds of a stream, besides what its filter holds on the heap.
    pub const fn stream_size(&self) -> usize {
        self.stream_size
    }
}

/// Configuration of one filter in a filter chain.
#[repr(C)]
pub(crate) struct Listener<F: Filter> {
    head: ListenerHead,
    pub(crate) filter: F,
    pub(crate) means: Means,
}

/// What a listener's configuration has from Envoy, for all streams of the listener.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) metrics: Metrics,
    pub(crate) secrets: Secrets,
    pub(crate) errands: Arc<Errands>,
}

/// The part of a [`Listener`] that is the same for every filter.
#[repr(C)]
pub(crate) struct ListenerHead {
    /// Makes the stream that Envoy gets; the pointer is the listener's own.
    pub(crate) open: unsafe fn(*const c_void, FilterPtr) -> ModuleStreamPtr,
    /// Frees the listener; the pointer is its own.
    pub(crate) free: unsafe fn(*const c_void),
    pub(crate) errands: Arc<Errands>,
}

/// Configuration of one filter on one route.
#[repr(C)]
pub(crate) struct Route<F: Filter> {
    head: RouteHead,
    filter: Arc<F>,
}

/// The part of a [`Route`] that is the same for every filter.
#[repr(C)]
pub(crate) struct RouteHead {
    filter: TypeId,
    /// Frees the route; the pointer is its own.
    pub(crate) free: unsafe fn(*const c_void),
}

/// The route's filter, if the route is one of `F`: Envoy does not check what a route's configuration is attached to.
///
/// # Safety
/// `route` came from [`Export::route`] and is not freed yet.
pub(crate) unsafe fn filter_of_route<F: Filter>(route: *const c_void) -> Option<Arc<F>> {
    // SAFETY: every route begins with a head.
    let head = unsafe { &*route.cast::<RouteHead>() };
    if head.filter != TypeId::of::<F>() {
        return None;
    }
    // SAFETY: the head says that this is a route of `F`.
    Some(Arc::clone(unsafe { &(*route.cast::<Route<F>>()).filter }))
}

/// A filter whose code stays as long as its threads may run.
fn compile_to_stay<F: Filter>(json: &[u8]) -> Result<F, ConfigError> {
    let filter = compile::<F>(json)?;
    if filter.has_threads() && !alarm::stay_loaded() {
        return Err(ConfigError::new("", "needs threads, for which the module cannot be kept loaded"));
    }
    Ok(filter)
}

fn new_listener<F: Filter>(config: ConfigPtr, json: &[u8]) -> Result<*const c_void, ConfigError> {
    let filter = compile_to_stay::<F>(json)?;
    // SAFETY: `config_new` runs, so its configuration is alive.
    let means = unsafe {
        Means {
            metrics: Metrics::define::<F>(config)?,
            secrets: Secrets::follow(config, filter.secrets())?,
            errands: Arc::new(Errands::of(config)),
        }
    };
    let errands = Arc::clone(&means.errands);
    filter.on_configured(&mut Configuring(&errands));
    let head = ListenerHead { open: stream::open::<F>, free: free::<Listener<F>>, errands };
    Ok(Box::into_raw(Box::new(Listener { head, filter, means })).cast_const().cast())
}

/// A listener's configuration that is being made.
#[derive(Debug)]
struct Configuring<'a>(&'a Errands);

impl ConfigHost for Configuring<'_> {
    fn runs_errands(&self) -> bool {
        self.0.run()
    }

    fn send_off(&mut self, request: Callout, errand: Box<dyn Errand>) {
        self.0.send_off(request, errand);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn new_route<F: Filter>(json: &[u8]) -> Result<*const c_void, ConfigError> {
    let filter = Arc::new(compile_to_stay::<F>(json)?);
    let head = RouteHead { filter: TypeId::of::<F>(), free: free_route::<F> };
    ROUTES.fetch_add(1, Ordering::Relaxed);
    Ok(Box::into_raw(Box::new(Route { head, filter })).cast_const().cast())
}

/// Routes with a configuration of their own that there are now, of any filter of this module.
///
/// Envoy's look-up walks the route for every stream; without any such route it is saved.
static ROUTES: AtomicUsize = AtomicUsize::new(0);

/// Whether any route has a configuration of its own.
pub(crate) fn routes_exist() -> bool {
    // Envoy publishes a route to its workers after it was made here, which orders this read after that write.
    ROUTES.load(Ordering::Relaxed) > 0
}

/// # Safety
/// `config` came from [`Box::into_raw`] as a `T` and is not freed yet.
unsafe fn free<T>(config: *const c_void) {
    // SAFETY: the caller vouches for it.
    drop(unsafe { Box::from_raw(config.cast_mut().cast::<T>()) });
}

/// # Safety
/// As for [`free`], of a `Route<F>`.
unsafe fn free_route<F: Filter>(route: *const c_void) {
    // SAFETY: the caller vouches for it.
    unsafe { free::<Route<F>>(route) };
    ROUTES.fetch_sub(1, Ordering::Relaxed);
}

/// Finds the filter `name` and has it make a configuration; what is wrong goes to Envoy's log, because Envoy's own
/// message has no place for it.
pub(crate) fn make(
    exports: &[Export],
    name: &[u8],
    new: impl Fn(&Export) -> Result<*const c_void, ConfigError>,
) -> *const c_void {
    let name = String::from_utf8_lossy(name);
    let Some(export) = exports.iter().find(|export| export.name == name) else {
        let known = exports.iter().map(|export| export.name).collect::<Vec<_>>().join(", ");
        envoy::log(Level::Error, &name, &format!("no filter {name:?} in this module; it has: {known}"));
        return std::ptr::null();
    };
    new(export).unwrap_or_else(|error| {
        envoy::log(Level::Error, export.name, &format!("configuration of filter {name}: {error}"));
        std::ptr::null()
    })
}
