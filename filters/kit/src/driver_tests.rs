use super::*;
use crate::{Callout, ConfigError, Fields, MemoryHost};
use std::cell::RefCell;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Answers each callback with the next flow of a script and writes down what it was told.
struct Scripted;

thread_local! {
    static SCRIPT: RefCell<Vec<Flow>> = const { RefCell::new(Vec::new()) };
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn tell(what: String) -> Flow {
    TOLD.with_borrow_mut(|told| told.push(what));
    SCRIPT.with_borrow_mut(|script| if script.is_empty() { Flow::Continue } else { script.remove(0) })
}

fn told() -> Vec<String> {
    TOLD.with_borrow_mut(std::mem::take)
}

impl Filter for Scripted {
    const NAME: &'static str = "scripted";
    const COUNTERS: &'static [&'static str] = &["seen"];
    type Config = ();
    type Stream = ();

    fn compile((): ()) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn on_headers(&self, (): &mut (), host: &mut dyn Host, message: Message, end: bool) -> Flow {
        assert!(host.field(message.headers(), "x-panic").is_none(), "asked to panic");
        tell(format!("{message:?} headers {end}"))
    }
    fn on_body(&self, (): &mut (), host: &mut dyn Host, message: Message) -> Flow {
        tell(format!("{message:?} body {}", host.body_len(message)))
    }
    fn on_data(&self, (): &mut (), host: &mut dyn Host, message: Message, end: bool) -> Flow {
        tell(format!("{message:?} data {} {end}", host.body_len(message)))
    }
    fn on_trailers(&self, (): &mut (), _: &mut dyn Host, message: Message) -> Flow {
        tell(format!("{message:?} trailers"))
    }
    fn on_reply(
        &self,
        (): &mut (),
        _: &mut dyn Host,
        id: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        tell(format!("reply {} {}", id.0, reply.is_ok()))
    }
    fn on_local_reply(&self, (): &mut (), _: &mut dyn Host, status: u16, _: &str) {
        tell(format!("local reply {status}"));
    }
    fn on_done(&self, (): &mut (), _: &mut dyn Host) {
        tell("done".to_owned());
    }
}

const REQUEST: Message = Message::Request;
const RESPONSE: Message = Message::Response;

fn scripted(script: Vec<Flow>) -> (Driver<Scripted>, MemoryHost) {
    SCRIPT.set(script);
    TOLD.take();
    (Driver::new(Arc::new(Scripted)), MemoryHost::with_request([(":method", "POST")]))
}

fn headers(message: Message, end: bool) -> Event<'static> {
    Event::Headers { message, end }
}

fn data(message: Message, end: bool) -> Event<'static> {
    Event::Data { message, end }
}

fn reply() -> Event<'static> {
    Event::Reply { id: CalloutId(7), reply: Ok(Reply { fields: vec![], body: vec![] }) }
}

#[test]
fn what_no_one_holds_passes_chunk_by_chunk() {
    let (mut driver, mut host) = scripted(vec![]);
    assert_eq!(driver.on(headers(REQUEST, false), &mut host), Step::Pass);
    host.push_body(REQUEST, "abc");
    assert_eq!(driver.on(data(REQUEST, false), &mut host), Step::Pass);
    assert_eq!(driver.on(Event::Trailers { message: REQUEST }, &mut host), Step::Pass);
    assert_eq!(told(), ["Request headers false", "Request data 3 false", "Request trailers"]);
}

#[test]
fn an_awaited_body_is_shown_once_and_whole() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody]);
    assert_eq!(driver.on(headers(REQUEST, false), &mut host), Step::Stop(Hold::Body));
    host.push_body(REQUEST, "ab");
    assert_eq!(driver.on(data(REQUEST, false), &mut host), Step::Stop(Hold::Body));
    host.push_body(REQUEST, "c");
    assert_eq!(driver.on(data(REQUEST, true), &mut host), Step::Pass);
    assert_eq!(told(), ["Request headers false", "Request body 3"]);
}

#[test]
fn an_awaited_body_that_does_not_exist_is_shown_empty() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody]);
    assert_eq!(driver.on(headers(REQUEST, true), &mut host), Step::Pass);
    assert_eq!(told(), ["Request headers true", "Request body 0"]);
}

#[test]
fn trailers_complete_an_awaited_body() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody]);
    driver.on(headers(RESPONSE, false), &mut host);
    host.push_body(RESPONSE, "abc");
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Stop(Hold::Body));
    assert_eq!(driver.on(Event::Trailers { message: RESPONSE }, &mut host), Step::Pass);
    assert_eq!(told(), ["Response headers false", "Response body 3", "Response trailers"]);
}

#[test]
fn awaited_data_is_shown_chunk_by_chunk_until_the_headers_may_go() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData, Flow::AwaitData, Flow::Continue]);
    assert_eq!(driver.on(headers(RESPONSE, false), &mut host), Step::Stop(Hold::Body));
    host.push_body(RESPONSE, "ab");
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Stop(Hold::Body));
    host.push_body(RESPONSE, "c");
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Pass);
    host.pass_body(RESPONSE);
    host.push_body(RESPONSE, "d");
    assert_eq!(driver.on(data(RESPONSE, true), &mut host), Step::Pass);
    let shown =
        ["Response headers false", "Response data 2 false", "Response data 3 false", "Response data 1 true"];
    assert_eq!(told(), shown);
}

#[test]
fn while_data_is_awaited_the_filter_can_still_answer() {
    let teapot = || Flow::Respond(Response::text(418, "teapot", ""));
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData, teapot()]);
    driver.on(headers(RESPONSE, false), &mut host);
    assert!(matches!(driver.on(data(RESPONSE, false), &mut host), Step::Respond(_)));
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData, Flow::Continue, teapot()]);
    driver.on(headers(RESPONSE, false), &mut host);
    driver.on(data(RESPONSE, false), &mut host);
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Reset, "headers have left");
}

#[test]
fn trailers_end_the_wait_for_data() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData, Flow::AwaitData]);
    driver.on(headers(RESPONSE, false), &mut host);
    driver.on(data(RESPONSE, false), &mut host);
    assert_eq!(driver.on(Event::Trailers { message: RESPONSE }, &mut host), Step::Pass);
    assert_eq!(told()[2], "Response trailers");
}

#[test]
fn data_that_cannot_come_is_not_awaited() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData]);
    assert!(matches!(driver.on(headers(REQUEST, true), &mut host), Step::Respond(_)));
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData, Flow::AwaitData]);
    driver.on(headers(REQUEST, false), &mut host);
    assert!(matches!(driver.on(data(REQUEST, true), &mut host), Step::Respond(_)));
    let (mut driver, mut host) = scripted(vec![Flow::Continue, Flow::AwaitData]);
    driver.on(headers(REQUEST, false), &mut host);
    assert!(matches!(driver.on(data(REQUEST, false), &mut host), Step::Respond(_)), "its headers have left");
}

#[test]
fn a_body_over_the_limit_is_not_awaited() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitData]);
    host.limit = 2;
    driver.on(headers(RESPONSE, false), &mut host);
    host.push_body(RESPONSE, "abc");
    assert!(
        matches!(driver.on(data(RESPONSE, false), &mut host), Step::Respond(answer) if answer.status == 502)
    );
}

#[test]
fn a_filter_that_leaves_lets_go_and_is_told_nothing_more() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody, Flow::Leave]);
    driver.on(headers(REQUEST, false), &mut host);
    host.push_body(REQUEST, "a");
    assert!(!driver.has_left());
    assert_eq!(driver.on(data(REQUEST, true), &mut host), Step::Pass);
    assert!(driver.has_left());
    for event in [headers(RESPONSE, false), data(RESPONSE, true), Event::Done] {
        assert_eq!(driver.on(event, &mut host), Step::Pass);
    }
    assert_eq!(told(), ["Request headers false", "Request body 1"]);
}

#[test]
fn a_filter_that_leaves_on_a_reply_resumes_what_it_held() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitReply, Flow::Leave]);
    driver.on(headers(REQUEST, false), &mut host);
    host.push_body(REQUEST, "a");
    assert_eq!(driver.on(data(REQUEST, true), &mut host), Step::Stop(Hold::Stream));
    assert_eq!(driver.on(reply(), &mut host), Step::Resume(REQUEST));
    assert_eq!(driver.on(Event::Trailers { message: REQUEST }, &mut host), Step::Pass);
    assert_eq!(told(), ["Request headers false", "reply 7 true"]);
}

#[test]
fn trailers_that_come_with_the_last_chunk_complete_an_awaited_body() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody]);
    driver.on(headers(RESPONSE, false), &mut host);
    host.push_body(RESPONSE, "ab");
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Stop(Hold::Body));
    host.push_body(RESPONSE, "c");
    host.arrive(Fields::ResponseTrailers, vec![("x-bytes".into(), b"3".to_vec())]);
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Pass);
    assert_eq!(driver.on(Event::Trailers { message: RESPONSE }, &mut host), Step::Pass);
    assert_eq!(told(), ["Response headers false", "Response body 3", "Response trailers"]);
}

#[test]
fn a_held_post_stays_held_when_its_body_arrives_and_resumes_on_reply() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitReply]);
    assert_eq!(driver.on(headers(REQUEST, false), &mut host), Step::Stop(Hold::Stream));
    host.push_body(REQUEST, "abc");
    assert_eq!(driver.on(data(REQUEST, true), &mut host), Step::Stop(Hold::Stream));
    assert_eq!(driver.on(reply(), &mut host), Step::Resume(REQUEST));
    assert_eq!(told(), ["Request headers false", "reply 7 true", "Request data 3 true"]);
}

#[test]
fn trailers_that_arrive_while_held_are_seen_before_resuming() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitBody, Flow::AwaitReply]);
    driver.on(headers(REQUEST, false), &mut host);
    host.push_body(REQUEST, "abc");
    driver.on(data(REQUEST, false), &mut host);
    assert_eq!(driver.on(Event::Trailers { message: REQUEST }, &mut host), Step::Stop(Hold::Stream));
    assert_eq!(driver.on(reply(), &mut host), Step::Resume(REQUEST));
    assert_eq!(told(), ["Request headers false", "Request body 3", "reply 7 true", "Request trailers"]);
}

#[test]
fn a_second_reply_can_be_awaited() {
    let (mut driver, mut host) = scripted(vec![Flow::AwaitReply, Flow::AwaitReply]);
    driver.on(headers(REQUEST, true), &mut host);
    assert_eq!(driver.on(reply(), &mut host), Step::Stop(Hold::Stream));
    assert_eq!(driver.on(reply(), &mut host), Step::Resume(REQUEST));
}

#[test]
fn nothing_but_done_is_told_after_an_answer() {
    let answer = Response { status: 403, ..Response::default() };
    let (mut driver, mut host) = scripted(vec![Flow::Respond(answer.clone())]);
    assert_eq!(driver.on(headers(REQUEST, false), &mut host), Step::Respond(answer));
    assert_eq!(driver.on(Event::LocalReply { status: 403, details: "" }, &mut host), Step::Pass);
    assert_eq!(driver.on(headers(RESPONSE, false), &mut host), Step::Pass);
    assert_eq!(driver.on(Event::Done, &mut host), Step::Pass);
    assert_eq!(told(), ["Request headers false", "done"]);
}

#[test]
fn an_answer_after_the_response_has_left_is_a_reset() {
    let (mut driver, mut host) = scripted(vec![Flow::Continue, Flow::Respond(Response::default())]);
    driver.on(headers(RESPONSE, false), &mut host);
    assert_eq!(driver.on(data(RESPONSE, false), &mut host), Step::Reset);
}

#[test]
fn a_body_over_the_limit_is_413_or_502() {
    for (message, status) in [(REQUEST, 413), (RESPONSE, 502)] {
        let (mut driver, mut host) = scripted(vec![Flow::AwaitBody]);
        host.limit = 2;
        driver.on(headers(message, false), &mut host);
        host.push_body(message, "abc");
        let step = driver.on(data(message, false), &mut host);
        let Step::Respond(response) = step else { panic!("{step:?}") };
        assert_eq!((response.status, &*response.details), (status, "scripted_filter_error"));
    }
}

// Where a panic aborts, no one is left to answer.
#[cfg(panic = "unwind")]
#[test]
fn a_panic_answers_500_to_a_request_and_resets_a_response() {
    let (mut driver, mut host) = scripted(vec![]);
    host.set_field(crate::Fields::RequestHeaders, "x-panic", b"1");
    let step = driver.on(headers(REQUEST, false), &mut host);
    assert!(matches!(step, Step::Respond(Response { status: 500, .. })), "{step:?}");
    assert_eq!(host.counted(Counter(1)), 1);

    let (mut driver, mut host) = scripted(vec![]);
    host.arrive(crate::Fields::ResponseHeaders, vec![("x-panic".to_owned(), b"1".to_vec())]);
    assert_eq!(driver.on(headers(RESPONSE, false), &mut host), Step::Reset);
    assert_eq!(driver.on(Event::Done, &mut host), Step::Pass);
}

#[test]
fn a_body_awaited_too_late_fails_closed() {
    let (mut driver, mut host) = scripted(vec![Flow::Continue, Flow::AwaitBody]);
    driver.on(headers(REQUEST, false), &mut host);
    let step = driver.on(data(REQUEST, false), &mut host);
    assert!(matches!(step, Step::Respond(Response { status: 500, .. })), "{step:?}");
}

#[test]
fn a_reply_that_no_one_awaits_changes_nothing() {
    let (mut driver, mut host) = scripted(vec![]);
    driver.on(headers(REQUEST, true), &mut host);
    assert_eq!(driver.on(reply(), &mut host), Step::Pass);
}

#[test]
fn callouts_need_their_pseudo_fields_and_a_known_cluster() {
    let mut host = MemoryHost::default();
    let mut callout = Callout {
        cluster: "auth".to_owned(),
        fields: vec![],
        body: vec![],
        timeout: std::time::Duration::from_secs(1),
    };
    assert_eq!(host.callout(callout.clone()), Err(CalloutError::MissingFields));
    callout.fields = [":method", ":path", ":authority"].map(|name| (name.to_owned(), b"x".to_vec())).to_vec();
    assert_eq!(host.callout(callout.clone()), Err(CalloutError::UnknownCluster));
    host.clusters.push("auth".to_owned());
    assert_eq!(host.callout(callout), Ok(CalloutId(1)));
}

#[test]
fn answers_to_head_and_with_1xx_204_or_304_have_no_body() {
    let allowed = |method: &str, status: &str| {
        let mut host = MemoryHost::with_request([(":method", method)]);
        let line = (":status".to_owned(), status.as_bytes().to_vec());
        host.arrive(crate::Fields::ResponseHeaders, vec![line]);
        (host.allows_body(REQUEST), host.allows_body(RESPONSE))
    };
    assert_eq!(allowed("GET", "200"), (true, true));
    for (method, status) in [("HEAD", "200"), ("GET", "103"), ("GET", "204"), ("GET", "304")] {
        assert_eq!(allowed(method, status), (true, false), "{method} {status}");
    }
}

/// The body of a response at hand, after a filter has replaced what was there by "new".
fn replaced(status: &str, at_hand: Option<&str>, whole: bool) -> Vec<u8> {
    let mut host = MemoryHost::with_request([(":method", "GET")]);
    host.arrive(crate::Fields::ResponseHeaders, vec![(":status".to_owned(), status.into())]);
    at_hand.into_iter().for_each(|chunk| host.push_body(RESPONSE, chunk));
    host.set_whole(RESPONSE, whole);
    host.replace_body(RESPONSE, b"new");
    host.pass_body(RESPONSE)
}

#[test]
fn a_body_in_memory_is_replaced_where_it_is_and_given_to_whole_messages_only() {
    assert_eq!(replaced("200", Some("old"), false), b"new");
    assert_eq!(replaced("200", None, true), b"new");
    assert_eq!(replaced("200", None, false), b"");
}

#[test]
fn a_body_in_memory_that_http_forbids_is_removed() {
    assert_eq!(replaced("204", Some("old"), false), b"");
    assert_eq!(replaced("304", None, true), b"");
}
