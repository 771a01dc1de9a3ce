use std::sync::mpsc;

use super::*;

const LONG: Duration = Duration::from_secs(60);

/// `sh -c script` in the place of Envoy; it sees Envoy's arguments and ignores them.
fn shell(folder: &std::path::Path, script: &str) -> Launch {
    use std::os::unix::fs::PermissionsExt;
    let program = folder.join("envoy");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Launch::new(program, "{}")
}

fn supervise(launch: Launch, backoff: Backoff) -> (Supervisor, mpsc::Receiver<Incident>) {
    let (report, incidents) = mpsc::channel();
    let supervisor = Supervisor::start(launch, backoff, move |incident| {
        let _ = report.send(incident);
    });
    (supervisor.unwrap(), incidents)
}

fn quick() -> Backoff {
    Backoff { first: Duration::from_millis(1), most: Duration::from_millis(4), well_after: LONG }
}

#[test]
fn pauses_double_up_to_the_bound_and_keep_half_of_it_at_least() {
    let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(5), well_after: LONG };
    let whole: Vec<u64> = (1..6).map(|failures| backoff.pause(failures, 1.0).as_secs()).collect();
    assert_eq!(whole, [1, 2, 4, 5, 5]);
    assert_eq!(backoff.pause(2, 0.0), Duration::from_secs(1));
    assert_eq!(backoff.pause(u32::MAX, 1.0), Duration::from_secs(5));
}

#[test]
fn an_envoy_that_ends_is_started_again_and_its_end_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (supervisor, incidents) = supervise(shell(folder.path(), "echo oops >&2; exit 3"), quick());
    for _ in 0..3 {
        assert!(matches!(incidents.recv_timeout(LONG), Ok(Incident::Started { .. })));
        let Ok(Incident::Exited { status, log, .. }) = incidents.recv_timeout(LONG) else {
            panic!("no exit")
        };
        assert_eq!((status.code(), log), (Some(3), vec!["oops".to_owned()]));
    }
    supervisor.stop();
}

#[test]
fn an_envoy_that_cannot_start_is_tried_again() {
    let (supervisor, incidents) = supervise(Launch::new("/no/such/envoy", "{}"), quick());
    for _ in 0..2 {
        let Ok(Incident::NotStarted { error, .. }) = incidents.recv_timeout(LONG) else {
            panic!("it started")
        };
        assert!(error.to_string().contains("/no/such/envoy"), "{error}");
    }
    supervisor.stop();
}

#[test]
fn stopping_ends_a_running_envoy_and_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let (supervisor, incidents) = supervise(shell(folder.path(), "exec sleep 600"), quick());
    assert!(matches!(incidents.recv_timeout(LONG), Ok(Incident::Started { .. })));
    let envoy = supervisor.envoy().unwrap();
    supervisor.stop();
    assert!(envoy.exit_status().is_some());

    let patient = Backoff { first: LONG, most: LONG, well_after: LONG };
    let (supervisor, incidents) = supervise(Launch::new("/no/such/envoy", "{}"), patient);
    assert!(matches!(incidents.recv_timeout(LONG), Ok(Incident::NotStarted { .. })));
    supervisor.stop();
}

#[test]
fn an_envoy_deaf_to_sigterm_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut launch = shell(folder.path(), "trap '' TERM; echo deaf >&2; while :; do sleep 1; done");
    launch.grace = Duration::from_millis(50);
    let envoy = launch.spawn().unwrap();
    assert!(envoy.log().wait(0, LONG, |line| line == "deaf"));
    let status = envoy.terminate();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}
