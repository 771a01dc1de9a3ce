//! A configuration's counters and histograms: each one twice, plainly and with a label for [`Filter::stat_prefix`].
//!
//! Envoy makes a statistic of a label's value when it is first moved, so configurations without a prefix cost nothing.

use ferrule_abi::{ConfigPtr, FilterPtr, MetricsResult, ModuleBuffer};
use ferrule_kit::{ConfigError, Counter, Filter, Histogram, counter_names};

use crate::envoy;

/// The label whose value is the prefix.
const LABEL: &str = "stat_prefix";

/// Where the labelled ones stand, below the filter's name.
const LABELLED: &str = "route";

/// What defines a counter, and what a histogram.
type Define =
    unsafe extern "C" fn(ConfigPtr, ModuleBuffer, *mut ModuleBuffer, usize, *mut usize) -> MetricsResult;

/// What adds to a counter, and what adds a value to a histogram.
type Move = unsafe extern "C" fn(FilterPtr, usize, *mut ModuleBuffer, usize, u64) -> MetricsResult;

/// Envoy's ids of one counter or histogram.
#[derive(Clone, Copy, Debug)]
struct Ids {
    plain: usize,
    labelled: usize,
}

/// All metrics of a configuration.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By [`Counter`].
    counters: Box<[Ids]>,
    /// By [`Histogram`].
    histograms: Box<[Ids]>,
}

impl Metrics {
    /// Defines them.
    ///
    /// # Safety
    /// `config` is alive: `config_new` runs.
    pub(crate) unsafe fn define<F: Filter>(config: ConfigPtr) -> Result<Self, ConfigError> {
        let Some(envoy) = envoy::callbacks() else { return Err(ConfigError::new("", "no Envoy")) };
        let counter = envoy.http_filter_config_define_counter;
        let histogram = envoy.http_filter_config_define_histogram;
        // SAFETY: the caller vouches for the configuration.
        let ids = |define, name| unsafe { define_both::<F>(config, define, name) };
        Ok(Self {
            counters: counter_names::<F>().map(|name| ids(counter, name)).collect::<Result<_, _>>()?,
            histograms: F::HISTOGRAMS.iter().map(|name| ids(histogram, name)).collect::<Result<_, _>>()?,
        })
    }

    /// Adds to a counter, and to that of the prefix.
    ///
    /// # Safety
    /// `filter` is alive.
    pub(crate) unsafe fn count(&self, filter: FilterPtr, prefix: Option<&str>, counter: Counter, by: u64) {
        let (Some(ids), Some(envoy)) = (self.counters.get(counter.0), envoy::callbacks()) else { return };
        // SAFETY: the caller vouches for the filter.
        unsafe { ids.add(envoy.http_filter_increment_counter, filter, prefix, by) };
    }

    /// Adds a value to a histogram, and to that of the prefix.
    ///
    /// # Safety
    /// `filter` is alive.
    pub(crate) unsafe fn record(
        &self,
        filter: FilterPtr,
        prefix: Option<&str>,
        histogram: Histogram,
        value: u64,
    ) {
        let (Some(ids), Some(envoy)) = (self.histograms.get(histogram.0), envoy::callbacks()) else { return };
        // SAFETY: the caller vouches for the filter.
        unsafe { ids.add(envoy.http_filter_record_histogram_value, filter, prefix, value) };
    }
}

impl Ids {
    /// # Safety
    /// `filter` is alive.
    unsafe fn add(self, add: Move, filter: FilterPtr, prefix: Option<&str>, value: u64) {
        // SAFETY: the caller vouches for the filter; what has no labels takes none.
        unsafe { add(filter, self.plain, std::ptr::null_mut(), 0, value) };
        if let Some(prefix) = prefix {
            let mut label = ModuleBuffer::from(prefix);
            // SAFETY: as above; there is one label, and its value outlives the call.
            unsafe { add(filter, self.labelled, &raw mut label, 1, value) };
        }
    }
}

/// # Safety
/// `config` is alive.
unsafe fn define_both<F: Filter>(config: ConfigPtr, define: Define, name: &str) -> Result<Ids, ConfigError> {
    // SAFETY: the caller vouches for the configuration.
    unsafe {
        Ok(Ids {
            plain: define_one(config, define, &format!("{}.{name}", F::NAME), None)?,
            labelled: define_one(config, define, &format!("{}.{LABELLED}.{name}", F::NAME), Some(LABEL))?,
        })
    }
}

/// # Safety
/// `config` is alive.
unsafe fn define_one(
    config: ConfigPtr,
    define: Define,
    name: &str,
    label: Option<&str>,
) -> Result<usize, ConfigError> {
    let mut label = label.map(ModuleBuffer::from);
    let labels = label.as_mut().map_or(std::ptr::null_mut(), std::ptr::from_mut);
    let mut id = 0;
    // SAFETY: the caller vouches for the configuration; name and label outlive the call, and the out-parameter is ours.
    match unsafe { define(config, name.into(), labels, usize::from(!labels.is_null()), &raw mut id) } {
        MetricsResult::SUCCESS => Ok(id),
        MetricsResult(code) => Err(ConfigError::new("", format!("Envoy refused the metric {name}: {code}"))),
    }
}
