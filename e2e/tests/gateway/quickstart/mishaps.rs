//! What befalls a controller that serves: folders, proxies, ports, signals.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;

use e2e::free_port;

use super::assert_greeted;
use crate::controller::{Controller, ferrule, has_ended, kill, probe_module};
use crate::load::{Load, greet, greet_slowly};

#[test]
fn what_envoy_refuses_shows_as_status_in_its_own_words() {
    let module = probe_module();
    let controller = Controller::start(&["--module", module.to_str().unwrap()]);
    controller.wait_for_condition(
        "gateway",
        "quickstart",
        "Programmed=False Invalid",
        "Failed to initialize dynamic module",
    );
    controller.wait_for_line(r#"no filter "transformation" in this module"#);
}

#[test]
fn a_port_that_is_taken_is_refused_and_another_port_mends_it() {
    let controller = Controller::serving(&[]);
    let load = Load::on(controller.gateway, |answer| answer.status.to_string());
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let listener = format!("  listeners:\n  - {{name: more, protocol: HTTP, port: {port}}}\n");
    controller.edit("gateway.yaml", |text| text.replace("  listeners:\n", &listener));
    controller.wait_for_condition(
        "gateway",
        "quickstart",
        "Programmed=False Invalid",
        "Address already in use",
    );
    let free = free_port().to_string();
    controller.edit("gateway.yaml", |text| text.replace(&port, &free));
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    let more = SocketAddr::from(([127, 0, 0, 1], free.parse().unwrap()));
    assert_greeted(&greet(more).unwrap());
    let outcomes = load.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}

#[test]
fn an_envoy_that_is_killed_comes_back() {
    let controller = Controller::serving(&[]);
    let before = controller.envoys();
    assert_eq!(before.len(), 1);
    kill(before[0], "KILL");
    controller.wait_until("another Envoy", || {
        let now = controller.envoys();
        (now.len() == 1 && now != before).then_some(())
    });
    controller
        .wait_until("greeting", || greet(controller.gateway).ok().filter(|answer| answer.status == 200));
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
}

fn ends_with_everything(signal: &str) {
    let mut controller = Controller::serving(&[]);
    let envoys = controller.envoys();
    assert_eq!(envoys.len(), 1);
    let status = controller.end_by(signal);
    assert_eq!(status.code(), Some(0), "{}", controller.said());
    assert!(has_ended(envoys[0]), "Envoy outlives the controller");
    assert!(!controller.home.path().join("admin.sock").exists(), "the admin socket is left behind");
    assert!(greet(controller.gateway).is_err());
}

#[test]
fn ctrl_c_ends_everything() {
    ends_with_everything("INT");
}

#[test]
fn sigterm_ends_everything() {
    ends_with_everything("TERM");
}

#[test]
fn a_controller_that_is_killed_takes_its_envoy_with_it() {
    let mut controller = Controller::serving(&[]);
    let envoys = controller.envoys();
    controller.end_by("KILL");
    controller.wait_until("end of Envoy", || has_ended(envoys[0]).then_some(()));
}

/// Edits a file and waits for the message that must follow.
fn spoil(controller: &Controller, name: &str, spoil: impl FnOnce(), message: &str) {
    spoil();
    let line = controller.wait_for_line(message);
    assert!(line.contains(name), "{line}");
}

#[test]
fn whatever_happens_to_the_folder_what_it_held_keeps_serving() {
    let controller = Controller::serving(&[]);
    let load = Load::on(controller.gateway, |answer| format!("{} {}", answer.status, answer.body));
    let (policy, folder) = (controller.config("policy.yaml"), controller.config(""));
    let text = fs::read(&policy).unwrap();

    spoil(&controller, "policy.yaml", || fs::write(&policy, b"spec: \xff").unwrap(), "is not UTF-8");
    let huge = || fs::File::create(&policy).unwrap().set_len(1 << 40).unwrap();
    spoil(&controller, "policy.yaml", huge, "is larger than 16 MiB");
    let misspelt = String::from_utf8(text.clone()).unwrap().replace("TrafficPolicy", "TrafficPolicies");
    spoil(&controller, "policy.yaml", || fs::write(&policy, misspelt).unwrap(), "is TrafficPolicy meant?");
    fs::write(&policy, &text).unwrap();

    let twin = controller.config("twin.yaml");
    let other = String::from_utf8(text.clone()).unwrap().replace("Hello", "Goodbye");
    spoil(&controller, "twin.yaml", || fs::write(&twin, other).unwrap(), "is already defined in");
    fs::remove_file(&twin).unwrap();

    let aside = controller.home.path().join("aside");
    spoil(&controller, "config", || fs::rename(&folder, &aside).unwrap(), "there is no such folder");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(&aside).unwrap() {
        let file = file.unwrap();
        fs::rename(file.path(), folder.join(file.file_name())).unwrap();
    }
    controller.wait_for_line("solved: ");
    assert_greeted(&greet(controller.gateway).unwrap());
    let outcomes = load.stop();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
}

#[test]
fn a_configmap_volume_is_served_and_swapped_without_a_lost_request() {
    let controller = Controller::serving(&[]);
    let folder = controller.config("");
    let swap = |version: &str, word: &str| {
        let text = fs::read_to_string(controller.home.path().join("policy")).unwrap();
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("policy.yaml"), text.replace("Hello", word)).unwrap();
        symlink(version, folder.join("..tmp")).unwrap();
        fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    };
    fs::copy(controller.config("policy.yaml"), controller.home.path().join("policy")).unwrap();
    let load = Load::on(controller.gateway, |answer| answer.json()["message"].to_string());
    let seen = |word: &str| {
        controller.wait_until(word, || load.outcomes().keys().any(|one| one.contains(word)).then_some(()));
    };
    seen("Hello");
    swap("..1", "Salve");
    symlink("..data/policy.yaml", folder.join("link")).unwrap();
    fs::rename(folder.join("link"), controller.config("policy.yaml")).unwrap();
    seen("Salve");
    swap("..2", "Ciao");
    seen("Ciao");
    let outcomes = load.stop();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
}

#[test]
fn a_policy_that_envoy_refuses_says_so_until_it_is_mended_and_the_rest_keeps_serving() {
    // This module lacks the filter, which only Envoy can know.
    let module = probe_module();
    let controller = Controller::with(&["--module", module.to_str().unwrap()], |folder| {
        fs::rename(folder.join("policy.yaml"), folder.join("policy.aside")).unwrap();
    });
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    let load = Load::on(controller.gateway, |answer| answer.status.to_string());
    fs::rename(controller.config("policy.aside"), controller.config("policy.yaml")).unwrap();
    for (kind, name) in [("trafficpolicy", "greet"), ("gateway", "quickstart")] {
        let words = "Failed to initialize per-route dynamic module";
        controller.wait_for_condition(kind, name, "Programmed=False Invalid", words);
    }
    assert!(controller.conditions("backend", "upstream").iter().all(|one| !one.starts_with("Programmed")));

    controller.edit("policy.yaml", |text| text.split("  transformation:").next().unwrap().to_owned());
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    controller.wait_for_condition("trafficpolicy", "greet", "Accepted=True", "");
    let left = controller.conditions("trafficpolicy", "greet");
    assert!(left.iter().all(|one| !one.starts_with("Programmed")), "{left:?}");
    let outcomes = load.stop();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}

#[test]
fn a_request_under_way_ends_well_when_everything_else_ends() {
    let mut controller = Controller::serving(&[]);
    let (gateway, process) = (controller.gateway, controller.id());
    let answer = greet_slowly(gateway, || {
        kill(process, "TERM");
        controller.wait_for_line("stopping; ");
        // Envoy takes no new connections once it drains.
        controller.wait_until("the drain", || greet(gateway).is_err().then_some(()));
    });
    assert_greeted(&answer.unwrap());
    assert_eq!(controller.ended().code(), Some(0), "{}", controller.said());
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let config = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let holder = TcpListener::bind(("127.0.0.1", taken)).unwrap();
    let (address, port) = (holder.local_addr().unwrap().to_string(), taken.to_string());
    let free = format!("unix:{}", config.path().join("admin.sock").display());
    for (arguments, remedy) in [
        (vec!["--admin", &address], "name another by --admin"),
        (vec!["--admin", &free, "--no-envoy", "--ads", &address], "name another by --ads"),
        (vec!["--admin", &free, "--no-envoy", "--demo-upstream", &port], "name another by --demo-upstream"),
        (vec!["--admin", &free, "--envoy", "/no/such/envoy"], "leave it out for Envoy 1.40.0"),
        (vec!["--admin", &free, "--module", "/no/libmine.so"], "name it by --module"),
    ] {
        let run = ferrule().arg("run").args(&arguments).arg("-f").arg(config.path()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && said.contains(remedy), "{arguments:?}: {said}");
    }
}

#[test]
fn a_gateway_whose_port_is_taken_at_the_start_serves_once_it_is_free() {
    let holder = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let controller = Controller::with(&[], |folder| {
        let path = folder.join("gateway.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().find(|line| line.contains("port:")).unwrap().to_owned();
        fs::write(&path, text.replace(&line, &format!("    port: {port}"))).unwrap();
    });
    controller.wait_for_line("is taken by another process; end that, or change the listener's port");
    controller.wait_for_condition("gateway", "quickstart", "Programmed=False Invalid", &port.to_string());
    drop(holder);
    controller.wait_for_condition("gateway", "quickstart", "Programmed=True", "");
    assert_greeted(&greet(SocketAddr::from(([127, 0, 0, 1], port))).unwrap());
}
