//! The quick start as a newcomer meets it: one command, a curl line, edits, mistakes, mishaps.

mod commands;
mod garbage;
mod mishaps;

use crate::client::{Answer, try_get};
use crate::controller::{Controller, wasm};
use crate::load::{Load, greet};
use serde_json::json;

/// What the quick start's README promises.
fn assert_greeted(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    // The request on its way in: header and body...
    assert_eq!(answer.headers["x-greeted"], "ANN", "{answer:?}");
    // ...and the response on its way out.
    assert_eq!(answer.json(), json!({"message": "Hello Ann \"A\" Lee!", "from": "ANN", "lines": 3}));
}

fn show_the_rewrites(controller: &Controller) {
    assert_greeted(&greet(controller.gateway).unwrap());
    let line = controller.wait_for_line("try: curl");
    let curl = line.split_once("try: ").unwrap().1;
    let output = std::process::Command::new("sh").args(["-c", curl]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains(r#""message": "Hello "#), "{curl}\n{printed}");
}

#[test]
fn the_curl_line_shows_both_rewrites_by_the_native_module() {
    show_the_rewrites(&Controller::serving(&[]));
}

#[test]
fn the_curl_line_shows_both_rewrites_by_the_wasm_module() {
    let Some(folder) = wasm() else {
        assert!(std::env::var_os("CI").is_none(), "no wasm modules; `just wasm` builds them");
        return eprintln!("skipped: no wasm modules; `just wasm` builds them");
    };
    show_the_rewrites(&Controller::serving(&["--filters", "wasm", "--wasm-dir", folder.to_str().unwrap()]));
}

fn message(answer: &Answer) -> String {
    match answer.status {
        200 => answer.json()["message"].to_string(),
        status => format!("{status} {}", answer.body),
    }
}

#[test]
fn an_edit_shows_without_a_lost_request() {
    let controller = Controller::serving(&[]);
    let load = Load::on(controller.gateway, message);
    let mut expected = vec![r#""Hello Ann \"A\" Lee!""#.to_owned()];
    controller.wait_until("greeting", || load.outcomes().contains_key(&expected[0]).then_some(()));
    for word in ["Servus", "Moin", "Ahoj"] {
        controller.edit("policy.yaml", |text| {
            let start = text.find("greeting\": \"").unwrap() + "greeting\": \"".len();
            let end = start + text[start..].find(' ').unwrap();
            format!("{}{word}{}", &text[..start], &text[end..])
        });
        expected.push(format!(r#""{word} Ann \"A\" Lee!""#));
        controller.wait_until(word, || load.outcomes().contains_key(expected.last().unwrap()).then_some(()));
    }
    let outcomes = load.stop();
    assert_eq!(outcomes.len(), expected.len(), "{outcomes:?}");
    assert!(expected.iter().all(|word| outcomes[word] > 0), "{outcomes:?}");
}

/// A second route with a backend of its own, which no mistake of the quick start's may touch.
fn add_bystander(controller: &Controller) {
    controller.edit("route.yaml", |text| {
        let documents: Vec<&str> = text.split("---\n").collect();
        let route = documents[0].replace("name: greeter", "name: bystander").replace("/greet", "/bystander");
        format!("{text}---\n{route}")
    });
    controller.wait_until("bystander", || {
        (try_get(controller.gateway, "/bystander").ok()?.status == 200).then_some(())
    });
}

#[test]
fn mistakes_name_their_place_and_leave_the_rest_as_it_is() {
    let controller = Controller::serving(&[]);
    add_bystander(&controller);
    let bystander = Load::on_path(controller.gateway, "/bystander", |answer| answer.status.to_string());
    let policy = std::fs::read_to_string(controller.config("policy.yaml")).unwrap();
    let restore =
        |controller: &Controller| std::fs::write(controller.config("policy.yaml"), &policy).unwrap();

    // What cannot be read keeps its last good form.
    controller.edit("policy.yaml", |text| text.replace("  targetRefs:", "  targetRefs: ["));
    let line = controller.wait_for_line("policy.yaml:");
    assert!(line.contains("TrafficPolicy greet"), "{line}");
    assert_greeted(&greet(controller.gateway).unwrap());
    restore(&controller);
    controller.edit("route.yaml", |text| text.replacen("  - matches:", "  - match: []\n    matches:", 1));
    let line = controller.wait_for_line("unknown field `match`");
    assert!(
        line.contains("route.yaml:") && line.contains("HTTPRoute default/greeter: spec.rules[0].match: "),
        "{line}"
    );
    assert_greeted(&greet(controller.gateway).unwrap());
    controller.edit("route.yaml", |text| text.replacen("  - match: []\n    matches:", "  - matches:", 1));
    controller.wait_for_line("solved: ");

    controller.edit("policy.yaml", |text| text.replacen("parseAs: AsJson", "parsAs: AsJson", 1));
    let line = controller.wait_for_line("parsAs");
    let place = "TrafficPolicy default/greet: spec.transformation.request.body";
    assert!(line.contains("policy.yaml:") && line.contains(place), "{line}");
    assert_greeted(&greet(controller.gateway).unwrap());
    restore(&controller);

    // What can be read and cannot work answers 500, and says why.
    controller.edit("policy.yaml", |text| text.replacen("| upper", "| uper", 1));
    controller.wait_until("500", || (greet(controller.gateway).ok()?.status == 500).then_some(()));
    let line = controller.wait_for_line("uper");
    let place = "TrafficPolicy default/greet: spec.transformation.request.set[0].value";
    assert!(line.contains("policy.yaml:") && line.contains(place), "{line}");
    controller.wait_for_condition("trafficpolicy", "greet", "Accepted=False Invalid", "uper");
    restore(&controller);
    controller.wait_until("greeting", || (greet(controller.gateway).ok()?.status == 200).then_some(()));

    controller.edit("route.yaml", |text| text.replacen("name: upstream", "name: nowhere", 1));
    controller.wait_until("500", || (greet(controller.gateway).ok()?.status == 500).then_some(()));
    let line = controller.wait_for_line("nowhere");
    assert!(
        line.contains("route.yaml:")
            && line.contains("HTTPRoute default/greeter: spec.rules[0].backendRefs[0]"),
        "{line}"
    );
    controller.wait_for_condition("httproute", "greeter", "ResolvedRefs=False BackendNotFound", "nowhere");
    controller.edit("route.yaml", |text| text.replacen("name: nowhere", "name: upstream", 1));
    controller.wait_until("greeting", || (greet(controller.gateway).ok()?.status == 200).then_some(()));

    let outcomes = bystander.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}
