//! The life of a container: started, probed, started again when it ends, ended with its pod.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context;
use k8s_openapi::api::core::v1::Container;
use tokio::process::Child;

use super::logs::Log;
use super::state::{Activity, ContainerState, Ended, now};
use super::volumes::Volumes;
use super::worker::{Worker, wait_for_end};
use super::{environment, probe, rootfs};
use crate::containment::Containment;
use crate::process::{self, Output};

/// The wait before the first restart; it doubles. The kubelet's 10 s would only make tests slow.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait before a restart.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// A container that ran this long has recovered.
const RECOVERED: Duration = Duration::from_secs(60);

/// What a container may take to end that is started again.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// What the containers of a pod share.
pub(super) struct Runner<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) network: PathBuf,
    pub(crate) volumes: &'a Volumes,
}

impl Runner<'_> {
    fn change(&self, container: &Container, change: impl FnOnce(&mut ContainerState)) {
        self.worker
            .state
            .send_modify(|state| change(state.containers.entry(container.name.clone()).or_default()));
    }
}

/// Runs a container, again and again as the restart `policy` asks; whether its last run succeeded.
pub(super) async fn live(runner: &Runner<'_>, container: &Container, policy: &str) -> bool {
    let mut backoff = FIRST_BACKOFF;
    loop {
        let began = Instant::now();
        let code = run_once(runner, container).await;
        if runner.worker.stop.borrow().is_some() {
            return code == Some(0);
        }
        match (policy, code) {
            ("Never", Some(code)) => return code == 0,
            ("OnFailure", Some(0)) => return true,
            _ => {}
        }
        if began.elapsed() > RECOVERED {
            backoff = FIRST_BACKOFF;
        }
        await_restart(runner, container, backoff, code.is_some()).await;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

async fn await_restart(runner: &Runner<'_>, container: &Container, backoff: Duration, ran: bool) {
    if ran {
        runner.change(container, |state| {
            if let Activity::Ended(ended) = &state.now {
                state.last = Some(ended.clone());
            }
            let message = format!("back-off {backoff:?} restarting failed container");
            state.now = Activity::Waiting { reason: "CrashLoopBackOff", message };
            state.restarts += 1;
        });
    }
    tokio::select! {
        () = tokio::time::sleep(backoff) => {}
        _ = wait_for_end(runner.worker.stop.clone()) => {}
    }
}

/// Runs a container to its end; its exit code, `None` when it could not be started.
async fn run_once(runner: &Runner<'_>, container: &Container) -> Option<i32> {
    let started = tokio::select! {
        started = start(runner, container) => started,
        _ = wait_for_end(runner.worker.stop.clone()) => return None,
    };
    let (mut child, environment) = match started {
        Ok(started) => started,
        Err(error) => {
            let reason =
                if rootfs::is_unknown_image(&error) { "ErrImagePull" } else { "CreateContainerError" };
            let message = format!("{error:#}");
            runner.change(container, |state| state.now = Activity::Waiting { reason, message });
            return None;
        }
    };
    let (id, began) = (child.id().unwrap_or_default(), now());
    let since = began.clone();
    runner.change(container, |state| {
        state.now = Activity::Running { id, since };
        state.started = container.startup_probe.is_none();
        state.ready = container.readiness_probe.is_none() && state.started;
    });
    let status = attend(runner, container, &mut child, &environment).await;
    let code = exit_code(status);
    let ended = Ended { id, code, began, ended: now() };
    runner.change(container, |state| {
        state.now = Activity::Ended(ended);
        state.ready = false;
        state.started = false;
    });
    Some(code)
}

/// Waits for the end of a running container, which its liveness probe or its pod's end may bring about.
async fn attend(
    runner: &Runner<'_>,
    container: &Container,
    child: &mut Child,
    environment: &[(String, String)],
) -> Option<ExitStatus> {
    let grace = tokio::select! {
        status = child.wait() => return status.ok(),
        () = probe::watch_container(runner.worker, container) => DEFAULT_GRACE,
        grace = wait_for_end(runner.worker.stop.clone()) => {
            let began = Instant::now();
            let _ = tokio::time::timeout(grace, run_stop_hook(container, child, environment)).await;
            grace.saturating_sub(began.elapsed())
        }
    };
    process::end(child, grace).await;
    child.wait().await.ok()
}

/// The hook `preStop`, within the grace time: `sleep` or `exec`.
async fn run_stop_hook(container: &Container, child: &Child, environment: &[(String, String)]) {
    let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return;
    };
    if let Some(sleep) = &hook.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))).await;
    }
    let command = hook.exec.as_ref().and_then(|exec| exec.command.clone());
    if let (Some(command), Some(id)) = (command, child.id()) {
        let ran = exec(id, &command, environment).await;
        if let Err(error) = ran {
            tracing::warn!("the preStop hook of {}: {error:#}", container.name);
        }
    }
}

/// Runs a command beside a container's process.
async fn exec(id: u32, command: &[String], environment: &[(String, String)]) -> anyhow::Result<()> {
    let status = tokio::process::Command::new("/usr/bin/nsenter")
        .args([format!("--target={id}"), "--mount".to_owned(), "--net".to_owned(), "--".to_owned()])
        .args(command)
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .status()
        .await?;
    anyhow::ensure!(status.success(), "{} ended with {status}", command.join(" "));
    Ok(())
}

async fn start(runner: &Runner<'_>, container: &Container) -> anyhow::Result<(Child, Vec<(String, String)>)> {
    let worker = runner.worker;
    let image = worker.machine.images.find(container.image.as_deref().unwrap_or_default())?;
    let environment = environment::of(worker, container, &image).await?;
    let command = environment::command(container, &image, &environment)?;
    let containment = Containment {
        parent: 0,
        network: Some(runner.network.clone()),
        root: Some(rootfs::root(runner, container, &image)?),
        command: rootfs::as_user(worker, container, command),
        environment: environment.clone(),
        folder: container.working_dir.as_ref().map(PathBuf::from),
    };
    let restarts = worker.state.borrow().containers.get(&container.name).map_or(0, |state| state.restarts);
    let log = Log::create(&worker.folder, &container.name, restarts).context("making the log")?;
    let mut child = worker.machine.starter.contain(&containment, Output::Pipes).await?;
    log.follow(child.stdout.take(), child.stderr.take());
    Ok((child, environment))
}

fn exit_code(status: Option<ExitStatus>) -> i32 {
    let signal = |status: ExitStatus| status.signal().map(|signal| 128 + signal);
    status.and_then(|status| status.code().or_else(|| signal(status))).unwrap_or(255)
}
