//! One plugin in one worker: compiles its configuration, then makes streams.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use ferrule_kit::{Callout, ConfigError, ConfigHost, Counter, Errand, Filter, Level};

use crate::Plugin;
use crate::hostcalls;
use crate::metrics::Metrics;
use crate::registry::{self, PluginContext, StreamContext};
use crate::stream::Stream;
use crate::wire::Buffer;

/// Id of the counter of panics.
static PANICKED: AtomicU32 = AtomicU32::new(0);

/// What all streams of a plugin share.
pub(crate) struct Configured<F> {
    pub(crate) plugin: Plugin<F>,
    pub(crate) metrics: Metrics,
    /// By [`Filter::stat_prefix`].
    prefixed: BTreeMap<String, Rc<Metrics>>,
}

impl<F: Filter> Configured<F> {
    /// The metrics of the filter's prefix, if it has one.
    pub(crate) fn routed(&self, filter: &F) -> Option<Rc<Metrics>> {
        self.prefixed.get(filter.stat_prefix()?).cloned()
    }
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
    let metrics = Metrics::define::<F>(None)?;
    if let Some(panicked) = metrics.counter(Counter(F::COUNTERS.len())) {
        PANICKED.store(panicked, Ordering::Relaxed);
    }
    let prefixes = plugin.filters().filter_map(|filter: &F| filter.stat_prefix());
    let prefixed =
        prefixes.map(|prefix| Ok((prefix.to_owned(), Rc::new(Metrics::define::<F>(Some(prefix))?))));
    let prefixed = prefixed.collect::<Result<_, ConfigError>>()?;
    Ok(Configured { plugin, metrics, prefixed })
}

/// A plugin's configuration that is being made. Requests that belong to no stream are none of a plugin's: each worker has its own, and
/// would make the same.
#[derive(Debug)]
struct Configuring;

impl ConfigHost for Configuring {
    fn runs_errands(&self) -> bool {
        false
    }

    fn send_off(&mut self, _: Callout, _: Box<dyn Errand>) {}

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

impl<F: Filter> PluginContext for Root<F> {
    fn configure(&self, size: usize) -> bool {
        match configured(&hostcalls::buffer(Buffer::PluginConfiguration, size)) {
            Ok(configured) => {
                configured.plugin.filters().for_each(|filter: &F| filter.on_configured(&mut Configuring));
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
