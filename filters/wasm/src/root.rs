//! One plugin in one worker: compiles its configuration, then makes streams.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use ferrule_kit::{ConfigError, Filter, Level, counter_names};

use crate::Plugin;
use crate::hostcalls;
use crate::registry::{self, PluginContext, StreamContext};
use crate::stream::Stream;
use crate::wire::Buffer;

/// Id of the counter of panics.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// What all streams of a plugin share.
pub(crate) struct Configured<F> {
    pub(crate) plugin: Plugin<F>,
    /// Envoy's counter ids by [`ferrule_kit::Counter`].
    pub(crate) counters: Box<[u32]>,
}

struct Root<F> {
    /// None until Envoy has configured the plugin.
    configured: RefCell<Option<Rc<Configured<F>>>>,
}

/// Makes this module one of plugins of `F`. To be called once, before Envoy calls anything else.
pub fn install<F: Filter>() {
    hostcalls::construct();
    std::panic::set_hook(Box::new(|info| {
        // The hook is all that still runs: a panic ends the VM, so nothing but this says so and counts it.
        hostcalls::log(Level::Error, &format!("the filter panicked: {info}"));
        hostcalls::count(PANICKED.load(Ordering::Relaxed), 1);
    }));
    registry::install(|| Rc::new(Root::<F> { configured: RefCell::default() }));
}

fn configured<F: Filter>(json: &[u8]) -> Result<Configured<F>, ConfigError> {
    let plugin = Plugin::parse(json)?;
    let counters = counter_names::<F>().map(define_counter::<F>).collect::<Result<Box<_>, _>>()?;
    if let Some(panicked) = counters.get(F::COUNTERS.len()) {
        PANICKED.store(*panicked, Ordering::Relaxed);
    }
    Ok(Configured { plugin, counters })
}

fn define_counter<F: Filter>(name: &str) -> Result<u32, ConfigError> {
    let full = format!("{}.{name}", F::NAME);
    hostcalls::define_counter(&full)
        .ok_or_else(|| ConfigError::new("", format!("Envoy refused the counter {full}")))
}

impl<F: Filter> PluginContext for Root<F> {
    fn configure(&self, size: usize) -> bool {
        match configured(&hostcalls::buffer(Buffer::PluginConfiguration, size)) {
            Ok(configured) => {
                *self.configured.borrow_mut() = Some(Rc::new(configured));
                true
            }
            Err(error) => {
                hostcalls::log(Level::Error, &format!("configuration of filter {}: {error}", F::NAME));
                false
            }
        }
    }

    fn open(&self, id: u32) -> Option<Rc<dyn StreamContext>> {
        let configured = self.configured.borrow().as_ref().map(Rc::clone)?;
        Some(Rc::new(Stream::new(id, configured)))
    }
}
