//! Requests that are sent off.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ferrule_kit::{Errand, Lines, Octets};

use super::*;

type Told = Arc<Mutex<Vec<String>>>;

/// Writes down what it is told, and has enough once that is `enough`.
#[derive(Debug)]
struct Noting {
    told: Told,
    enough: &'static str,
}

impl Noting {
    fn note(&self, what: String) -> bool {
        let goes_on = what != self.enough;
        self.told.lock().unwrap().push(what);
        goes_on
    }
}

impl Errand for Noting {
    fn on_headers(&mut self, _: SystemTime, lines: &Lines<'_>, end: bool) -> bool {
        self.note(format!("headers {} {end}", lines.len()))
    }
    fn on_data(&mut self, chunks: &[Octets<'_>], end: bool) -> bool {
        self.note(format!("data {} {end}", String::from_utf8(chunks.concat()).unwrap()))
    }
    fn on_trailers(&mut self) {
        self.note("trailers".to_owned());
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.note("over".to_owned());
    }
}

/// A stream that has sent a request off and ended, and what the errand is told.
fn sent_off(enough: &'static str) -> (ModuleConfigPtr, Told) {
    let told = Told::default();
    let noting = Arc::clone(&told);
    let stream = stream(move |what, host| {
        if what.starts_with("Request") {
            assert!(host.runs_errands());
            host.send_off(callout(), Box::new(Noting { told: Arc::clone(&noting), enough }));
        }
        Flow::Continue
    });
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["schedule 0"]);
    stream.destroy();
    (stream.config, told)
}

fn start(config: ModuleConfigPtr) {
    // SAFETY: the configuration is alive.
    unsafe { hooks::config_scheduled(std::ptr::null_mut(), config, 0) };
}

fn headers(config: ModuleConfigPtr, end: bool) {
    let lines = [HttpHeader::new(":status", b"200")];
    // SAFETY: the configuration is alive; the lines outlive the call.
    unsafe { hooks::config_http_stream_headers(std::ptr::null_mut(), config, 9, lines.as_ptr(), 1, end) };
}

fn data(config: ModuleConfigPtr, end: bool) {
    let chunks = [lent("a"), lent("b")];
    // SAFETY: the configuration is alive; the chunks outlive the call.
    unsafe { hooks::config_http_stream_data(std::ptr::null_mut(), config, 9, chunks.as_ptr(), 2, end) };
}

fn trailers(config: ModuleConfigPtr) {
    // SAFETY: the configuration is alive.
    unsafe { hooks::config_http_stream_trailers(std::ptr::null_mut(), config, 9, std::ptr::null(), 0) };
}

fn complete(config: ModuleConfigPtr) {
    // SAFETY: the configuration is alive.
    unsafe { hooks::config_http_stream_complete(std::ptr::null_mut(), config, 9) };
}

fn reset(config: ModuleConfigPtr) {
    // SAFETY: the configuration is alive.
    unsafe { hooks::config_http_stream_reset(std::ptr::null_mut(), config, 9, 1) };
}

fn free(config: ModuleConfigPtr) {
    // SAFETY: the configuration is alive, and used no more.
    unsafe { hooks::config_destroy(config) };
}

fn noted(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.lock().unwrap())
}

#[test]
fn a_request_that_is_sent_off_outlives_its_stream() {
    let (config, told) = sent_off("");
    start(config);
    assert_eq!(asked(), ["errand auth 1 1ms"]);
    headers(config, false);
    data(config, false);
    data(config, true);
    complete(config);
    assert_eq!(noted(&told), ["headers 1 false", "data ab false", "data ab true", "over"]);
    assert_eq!(asked(), [""; 0]);
    free(config);
}

#[test]
fn an_answer_may_end_with_trailers_or_break_off() {
    let (config, told) = sent_off("");
    start(config);
    headers(config, false);
    trailers(config);
    complete(config);
    assert_eq!(noted(&told), ["headers 1 false", "trailers", "over"]);
    free(config);
    let (config, told) = sent_off("");
    start(config);
    headers(config, false);
    reset(config);
    data(config, true);
    assert_eq!(noted(&told), ["headers 1 false", "over"]);
    free(config);
}

#[test]
fn who_has_enough_of_an_answer_has_the_rest_dropped() {
    let (config, told) = sent_off("headers 1 false");
    start(config);
    asked();
    reenter(move || reset(config));
    headers(config, false);
    assert_eq!(asked(), ["drop errand 9"]);
    assert_eq!(noted(&told), ["headers 1 false", "over"]);
    free(config);
    // What has ended is not dropped.
    let (config, told) = sent_off("headers 1 true");
    start(config);
    asked();
    headers(config, true);
    assert_eq!(asked(), [""; 0]);
    assert_eq!(noted(&told), ["headers 1 true", "over"]);
    free(config);
}

#[test]
fn envoy_may_answer_before_it_has_said_that_the_request_was_made() {
    let (config, told) = sent_off("");
    reenter(move || {
        headers(config, false);
        data(config, true);
        complete(config);
    });
    start(config);
    assert_eq!(noted(&told), ["headers 1 false", "data ab true", "over"]);
    free(config);
}

#[test]
fn a_request_that_cannot_be_made_is_over() {
    let (config, told) = sent_off("");
    fake(|fake| fake.callout = 2);
    start(config);
    assert_eq!(noted(&told), ["over"]);
    headers(config, true);
    assert_eq!(noted(&told), [""; 0]);
    free(config);
    let (config, told) = sent_off("");
    free(config);
    assert_eq!(noted(&told), ["over"], "its configuration is gone");
}
