//! Counters of the controller in Prometheus' text format (version 0.0.4).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the duration histogram's buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];

/// How long something took, over all times.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// One for each of [`BOUNDS`], not cumulative; longer ones are in `count` alone.
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Durations {
    pub(crate) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) =
            BOUNDS.iter().position(|bound| seconds <= *bound).and_then(|at| self.buckets.get(at))
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// What is counted here; the xDS server counts for itself.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// From a change on disk, once it is quiet, to objects.
    pub(crate) reads: Durations,
    /// From objects to xDS and status.
    pub(crate) translations: Durations,
    /// Things wrong with manifests now, so that objects are kept in an earlier form or missing.
    pub(crate) manifest_errors: AtomicU64,
    /// Objects held now.
    pub(crate) objects: AtomicU64,
    /// Things wrong with them now.
    pub(crate) problems: AtomicU64,
    /// Proxies connected now.
    pub(crate) proxies: AtomicU64,
}

impl Metrics {
    /// All of it, as a scraper reads it.
    pub(crate) fn render(&self, xds: &ferrule_xds::Metrics) -> String {
        let mut page = Page::default();
        page.durations("ferrule_read_seconds", "Time to read changed manifests.", &self.reads);
        page.durations(
            "ferrule_translation_seconds",
            "Time to translate objects into xDS.",
            &self.translations,
        );
        let now = |value: &AtomicU64| value.load(Ordering::Relaxed);
        page.gauge("ferrule_manifest_errors", "Things wrong with manifests.", now(&self.manifest_errors));
        page.gauge("ferrule_objects", "Objects held.", now(&self.objects));
        page.gauge("ferrule_problems", "Things wrong with manifests and objects.", now(&self.problems));
        page.gauge("ferrule_proxies_connected", "Proxies connected.", now(&self.proxies));
        page.gauge("ferrule_xds_streams", "xDS streams open.", xds.streams);
        for (name, help, value) in [
            ("requests", "Requests received.", xds.requests),
            ("responses", "Responses sent.", xds.responses),
            ("resources_pushed", "Resources sent.", xds.resources),
            ("removals_pushed", "Removals sent.", xds.removals),
            ("body_bytes", "Bytes of resources sent.", xds.body_bytes),
            ("acks", "Responses accepted.", xds.acks),
            ("nacks", "Responses refused.", xds.nacks),
            ("stale_nonces", "Requests whose nonce is not awaited.", xds.stale_nonces),
            ("timeouts", "Answers that did not come in time.", xds.timeouts),
            ("unknown_type_requests", "Requests of a type not served.", xds.unknown_type_requests),
            ("rejected_streams", "Streams refused or ended for exceeding a bound.", xds.rejected_streams),
            ("failed_handshakes", "Connections that ended with their TLS handshake.", xds.failed_handshakes),
            ("reports", "Reports of proxies' filters received.", xds.reports),
        ] {
            page.counter(&format!("ferrule_xds_{name}_total"), help, value);
        }
        page.0
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn metric(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, help, "counter");
        self.line(format_args!("{name} {value}"));
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, help, "gauge");
        self.line(format_args!("{name} {value}"));
    }

    fn durations(&mut self, name: &str, help: &str, durations: &Durations) {
        self.metric(name, help, "histogram");
        let mut below = 0;
        for (bound, bucket) in BOUNDS.iter().zip(&durations.buckets) {
            below += bucket.load(Ordering::Relaxed);
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {below}"));
        }
        let count = durations.count.load(Ordering::Relaxed).max(below);
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        let seconds = Duration::from_micros(durations.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        self.line(format_args!("{name}_sum {seconds}\n{name}_count {count}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative() {
        let metrics = Metrics::default();
        for milliseconds in [1, 3, 3, 10_000] {
            metrics.translations.observe(Duration::from_millis(milliseconds));
        }
        let page = metrics.render(&ferrule_xds::Metrics { nacks: 7, ..Default::default() });
        for line in [
            "ferrule_translation_seconds_bucket{le=\"0.001\"} 1",
            "ferrule_translation_seconds_bucket{le=\"0.005\"} 3",
            "ferrule_translation_seconds_bucket{le=\"5\"} 3",
            "ferrule_translation_seconds_bucket{le=\"+Inf\"} 4",
            "ferrule_translation_seconds_sum 10.007",
            "ferrule_translation_seconds_count 4",
            "ferrule_xds_nacks_total 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }
}
