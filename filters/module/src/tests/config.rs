//! Configurations: refusals, and which one a stream gets.

use super::*;

#[test]
fn a_bad_configuration_is_refused_and_logged_with_filter_and_field() {
    reset();
    assert!(config("played", r#"{"nam": 1}"#).is_null());
    assert!(route("played", "[").is_null());
    assert!(config("unheard", "{}").is_null());
    assert!(config("played", r#"{"secrets": {"unheard": null}}"#).is_null());
    let log = fake(|fake| fake.log.clone());
    assert!(log[0].starts_with("configuration of filter played: nam: unknown field"), "{log:?}");
    assert!(log[1].starts_with("configuration of filter played: "), "{log:?}");
    assert_eq!(log[2], "no filter \"unheard\" in this module; it has: played, other");
    let why = "the bootstrap has no static generic secret of that name";
    assert_eq!(log[3], format!("configuration of filter played: secret \"unheard\": {why}"));
}

#[test]
fn the_routes_configuration_wins_over_the_listeners() {
    let stream = stream(|_, _| Flow::Continue);
    let route = route("played", r#"{"name": "routed "}"#);
    fake(|fake| fake.route = route as usize);
    stream.headers(REQUEST, true);
    stream.end();
    assert_eq!(told(), ["routed Request headers true", "done"]);
    // SAFETY: no stream uses it any more.
    unsafe { hooks::per_route_config_destroy(route) };
}

#[test]
fn a_routes_configuration_for_another_filter_fails_closed() {
    let stream = stream(|_, _| Flow::Continue);
    let route = route("other", "{}");
    fake(|fake| fake.route = route as usize);
    assert_eq!(stream.headers(REQUEST, true), HeadersStatus::StopIteration);
    assert_eq!(asked(), ["respond 500 1  played_filter_misrouted"]);
    stream.end();
    // SAFETY: no stream uses it any more.
    unsafe { hooks::per_route_config_destroy(route) };
}
