//! Statuses, answers, re-entrancy, the end of a stream.

use super::*;

#[test]
fn held_streams_stop_bodies_and_resume_on_reply() {
    let stream = stream(|what, _| match what {
        "Request headers false" => Flow::AwaitReply,
        _ => Flow::Continue,
    });
    assert_eq!(stream.headers(REQUEST, false), HeadersStatus::StopIteration);
    assert_eq!(stream.data(REQUEST, false), DataStatus::StopIterationAndWatermark);
    assert_eq!(stream.trailers(REQUEST), TrailersStatus::StopIteration);
    assert_eq!(asked(), [""; 0]);
    stream.reply(CalloutResult::SUCCESS);
    assert_eq!(asked(), ["continue request"]);
    stream.end();
    let reply = "reply 7 Ok((1, [97, 98]))";
    assert_eq!(told(), ["Request headers false", reply, "Request data false", "Request trailers", "done"]);
}

#[test]
fn collected_bodies_are_buffered_and_go_on_at_their_end() {
    let stream = stream(|what, _| match what {
        "Response headers false" => Flow::AwaitBody,
        _ => Flow::Continue,
    });
    assert_eq!(stream.headers(RESPONSE, false), HeadersStatus::StopIteration);
    assert_eq!(stream.data(RESPONSE, false), DataStatus::StopIterationAndBuffer);
    assert_eq!(stream.data(RESPONSE, true), DataStatus::Continue);
    assert_eq!(asked(), [""; 0]);
    stream.end();
}

#[test]
fn failed_callouts_say_why() {
    let stream =
        stream(|what, _| if what == "Response headers true" { Flow::AwaitReply } else { Flow::Continue });
    stream.headers(RESPONSE, true);
    stream.reply(CalloutResult::EXCEED_RESPONSE_BUFFER_LIMIT);
    stream.reply(CalloutResult(1));
    assert_eq!(asked(), ["continue response"]);
    stream.end();
    let told = told();
    assert_eq!(told[1..3], ["reply 7 Err(TooLarge)", "reply 7 Err(Reset)"]);
}

#[test]
fn answers_and_resets_stop_what_they_are_about() {
    let denied =
        || Response { status: 403, body: b"no".to_vec(), details: "denied".into(), ..Response::default() };
    let stream_ = stream(move |_, _| Flow::Respond(denied()));
    assert_eq!(stream_.headers(REQUEST, false), HeadersStatus::StopIteration);
    assert_eq!(asked(), ["respond 403 0 no denied"]);
    stream_.end();

    let stream_ = stream(|what, _| if what.contains("data") { Flow::Reset } else { Flow::Continue });
    assert_eq!(stream_.headers(RESPONSE, false), HeadersStatus::Continue);
    assert_eq!(stream_.data(RESPONSE, false), DataStatus::StopIterationNoBuffer);
    assert_eq!(asked(), ["reset ferrule_filter_reset"]);
    stream_.end();
}

#[test]
fn envoy_may_run_hooks_and_free_the_stream_while_it_is_answered() {
    let stream = stream(|what, _| match what {
        "Request headers false" => Flow::Respond(Response::default()),
        _ => Flow::Continue,
    });
    reenter(move || {
        stream.local_reply();
        stream.end();
    });
    assert_eq!(stream.headers(REQUEST, false), HeadersStatus::StopIteration);
    assert_eq!(told(), ["Request headers false", "done"]);
}

#[test]
fn envoy_may_run_hooks_and_free_the_stream_while_it_is_resumed() {
    let stream =
        stream(|what, _| if what == "Request headers true" { Flow::AwaitReply } else { Flow::Continue });
    stream.headers(REQUEST, true);
    reenter(move || {
        stream.local_reply();
        assert_eq!(stream.headers(RESPONSE, true), HeadersStatus::Continue);
        stream.end();
    });
    stream.reply(CalloutResult::SUCCESS);
    let told = told();
    assert_eq!(told[2..], ["local reply 503 why", "Response headers true", "done"]);
}

#[test]
fn a_busy_filter_is_left_alone_and_freed_once_it_has_returned() {
    let stream = stream(|what, host| {
        if what.starts_with("Request") {
            let _ = host.callout(callout());
        }
        Flow::Continue
    });
    reenter(move || {
        assert_eq!(stream.headers(RESPONSE, true), HeadersStatus::Continue);
        stream.destroy();
    });
    assert_eq!(stream.headers(REQUEST, true), HeadersStatus::StopIteration, "the stream is gone");
    assert_eq!(told(), ["Request headers true"], "Envoy has gone too far to be told of with a host");
    // SAFETY: its stream is gone.
    unsafe { hooks::config_destroy(stream.config) };
}

#[test]
fn done_is_told_once_also_where_envoy_only_destroys() {
    let stream_ = stream(|_, _| Flow::Continue);
    stream_.end();
    assert_eq!(told(), ["done"]);
    let stream_ = opened("{}");
    stream_.destroy();
    assert_eq!(told(), ["done"]);
}

#[test]
fn a_panic_answers_500_and_counts() {
    let stream = stream(|what, _| {
        assert!(!what.contains("headers"), "asked to panic");
        Flow::Continue
    });
    assert_eq!(stream.headers(REQUEST, false), HeadersStatus::StopIteration);
    assert_eq!(asked(), ["respond 500 1  played_filter_panicked"]);
    let panics =
        fake(|fake| fake.metrics.iter().find(|(name, _)| name == "played.panicked").unwrap().1.clone());
    assert_eq!(panics, [(String::new(), 1)]);
    stream.end();
}
