//! One plugin in one worker: compiles its configuration, then makes streams.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use ferrule_kit::{ConfigError, Filter, Level, counter_names};
use proxy_wasm::hostcalls as sdk;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel, MetricType};

use crate::Plugin;
use crate::host::log;
use crate::hostcalls;
use crate::stream::Stream;

/// Id of the counter of panics; 0 until there is a configuration.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// What all streams of a plugin share.
pub(crate) struct Configured<F> {
    pub(crate) plugin: Plugin<F>,
    /// Envoy's counter ids by [`ferrule_kit::Counter`].
    pub(crate) counters: Box<[u32]>,
}

struct Root<F> {
    /// None until Envoy has configured the plugin; no stream comes earlier.
    configured: Option<Rc<Configured<F>>>,
}

/// Tells the SDK how to make a plugin of `F`. To be called once, before Envoy calls anything else.
pub fn install<F: Filter>() {
    hostcalls::construct();
    std::panic::set_hook(Box::new(|info| {
        // The hook is all that still runs: a panic ends the VM, so nothing but this counts it.
        let _ = sdk::log(LogLevel::Critical, &info.to_string());
        let _ = sdk::increment_metric(PANICKED.load(Ordering::Relaxed), 1);
    }));
    proxy_wasm::set_root_context(|_| Box::new(Root::<F> { configured: None }));
}

impl<F: Filter> Root<F> {
    fn configure(&mut self, size: usize) -> Result<(), ConfigError> {
        let plugin = Plugin::parse(&hostcalls::buffer(BufferType::PluginConfiguration, size))?;
        let counters = counter_names::<F>().map(define_counter::<F>).collect::<Result<Box<_>, _>>()?;
        if let Some(panicked) = counters.get(F::COUNTERS.len()) {
            PANICKED.store(*panicked, Ordering::Relaxed);
        }
        self.configured = Some(Rc::new(Configured { plugin, counters }));
        Ok(())
    }
}

fn define_counter<F: Filter>(name: &str) -> Result<u32, ConfigError> {
    let full = format!("{}.{name}", F::NAME);
    let refused = |status| ConfigError::new("", format!("Envoy refused the counter {full}: {status:?}"));
    sdk::define_metric(MetricType::Counter, &full).map_err(refused)
}

impl<F: Filter> Context for Root<F> {}

impl<F: Filter> RootContext for Root<F> {
    fn on_configure(&mut self, size: usize) -> bool {
        let configured = self.configure(size);
        if let Err(error) = &configured {
            log(Level::Error, &format!("configuration of filter {}: {error}", F::NAME));
        }
        configured.is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let configured = self.configured.as_ref()?;
        Some(Box::new(Stream::new(Rc::clone(configured))))
    }
}
