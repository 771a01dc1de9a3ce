//! A pod's state -> the status that the API server is told.

use k8s_openapi::api::core::v1::{
    Container, ContainerState as ApiState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};

use super::state::{Activity, ContainerState, Ended, PodState, now};
use crate::addresses::Plan;

/// The status of `pod`; conditions keep the time of their last change.
pub(super) fn status(pod: &Pod, state: &PodState, before: &[PodCondition], plan: Plan) -> PodStatus {
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| statuses(&spec.containers, state)).unwrap_or_default();
    let initial = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let initial = statuses(initial, state);
    let phase = spec.map_or("Pending", |spec| phase(spec, state));
    let node = plan.node().to_string();
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions(pod, &containers, &initial, phase, state, before)),
        container_statuses: Some(containers),
        init_container_statuses: Some(initial).filter(|initial| !initial.is_empty()),
        pod_ip: state.address.map(|address| address.to_string()),
        pod_ips: state.address.map(|address| vec![PodIP { ip: address.to_string() }]),
        host_ip: Some(node.clone()),
        host_ips: Some(vec![HostIP { ip: node }]),
        start_time: state.started.clone(),
        ..PodStatus::default()
    }
}

/// Pod lifecycle: a pod that will not run again has succeeded or failed.
fn phase(spec: &PodSpec, state: &PodState) -> &'static str {
    let states: Vec<_> = spec.containers.iter().filter_map(|one| state.containers.get(&one.name)).collect();
    let ended: Vec<&Ended> = states
        .iter()
        .filter_map(|one| match &one.now {
            Activity::Ended(ended) => Some(ended),
            _ => None,
        })
        .collect();
    let begun = states.iter().any(|one| one.last.is_some() || !matches!(one.now, Activity::Waiting { .. }));
    if initial_failed(spec, state) {
        return "Failed";
    }
    if ended.len() == spec.containers.len() {
        return if ended.iter().all(|one| one.code == 0) { "Succeeded" } else { "Failed" };
    }
    if begun { "Running" } else { "Pending" }
}

fn initial_failed(spec: &PodSpec, state: &PodState) -> bool {
    let initial = spec.init_containers.as_deref().unwrap_or_default();
    let states = initial.iter().filter_map(|one| state.containers.get(&one.name));
    let mut ends = states.filter_map(|one| match &one.now {
        Activity::Ended(ended) => Some(ended.code),
        _ => None,
    });
    ends.any(|code| code != 0)
}

fn statuses(containers: &[Container], state: &PodState) -> Vec<ContainerStatus> {
    let default = ContainerState::default();
    containers
        .iter()
        .map(|container| {
            one_status(container, state.containers.get(&container.name).unwrap_or(&default), state.ending)
        })
        .collect()
}

fn one_status(container: &Container, state: &ContainerState, ending: bool) -> ContainerStatus {
    let running = matches!(state.now, Activity::Running { .. });
    let image = container.image.clone().unwrap_or_default();
    let id = match (&state.now, &state.last) {
        (Activity::Running { id, .. }, _) | (Activity::Ended(Ended { id, .. }), _) => Some(*id),
        (Activity::Waiting { .. }, last) => last.as_ref().map(|last| last.id),
    };
    ContainerStatus {
        name: container.name.clone(),
        container_id: id.map(|id| format!("process://{id}")),
        image_id: image.clone(),
        image,
        ready: (state.ready && running && !ending)
            || matches!(&state.now, Activity::Ended(Ended { code: 0, .. })),
        started: Some(state.started && running),
        restart_count: state.restarts,
        state: Some(api_state(&state.now)),
        last_state: state.last.as_ref().map(|last| api_state(&Activity::Ended(last.clone()))),
        ..ContainerStatus::default()
    }
}

fn api_state(activity: &Activity) -> ApiState {
    match activity {
        Activity::Waiting { reason, message } => ApiState {
            waiting: Some(ContainerStateWaiting {
                reason: Some((*reason).to_owned()),
                message: Some(message.clone()).filter(|message| !message.is_empty()),
            }),
            ..ApiState::default()
        },
        Activity::Running { since, .. } => ApiState {
            running: Some(ContainerStateRunning { started_at: Some(since.clone()) }),
            ..ApiState::default()
        },
        Activity::Ended(ended) => ApiState {
            terminated: Some(ContainerStateTerminated {
                exit_code: ended.code,
                reason: Some(if ended.code == 0 { "Completed" } else { "Error" }.to_owned()),
                started_at: Some(ended.began.clone()),
                finished_at: Some(ended.ended.clone()),
                container_id: Some(format!("process://{}", ended.id)),
                ..ContainerStateTerminated::default()
            }),
            ..ApiState::default()
        },
    }
}

fn conditions(
    pod: &Pod,
    containers: &[ContainerStatus],
    initial: &[ContainerStatus],
    phase: &str,
    state: &PodState,
    before: &[PodCondition],
) -> Vec<PodCondition> {
    let initialized = initial.iter().all(|one| one.ready);
    let ready = phase == "Running" && !state.ending && containers.iter().all(|one| one.ready);
    [("PodScheduled", true), ("Initialized", initialized), ("ContainersReady", ready), ("Ready", ready)]
        .map(|(type_, holds)| condition(pod, type_, holds, before))
        .into()
}

fn condition(pod: &Pod, type_: &str, holds: bool, before: &[PodCondition]) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let same = before.iter().find(|one| one.type_ == type_ && one.status == status);
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_transition_time: same.and_then(|one| one.last_transition_time.clone()).or_else(|| Some(now())),
        observed_generation: pod.metadata.generation,
        ..PodCondition::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Pod {
        let spec = serde_json::json!({"spec": {
            "initContainers": [{"name": "first"}], "containers": [{"name": "a"}, {"name": "b"}],
        }});
        serde_json::from_value(spec).unwrap()
    }

    fn ended(code: i32) -> ContainerState {
        let end = Ended { id: 7, code, began: now(), ended: now() };
        ContainerState { now: Activity::Ended(end), ..ContainerState::default() }
    }

    fn running() -> ContainerState {
        let now = Activity::Running { id: 7, since: now() };
        ContainerState { now, ready: true, started: true, ..ContainerState::default() }
    }

    fn seen(containers: Vec<(&str, ContainerState)>, before: &[PodCondition]) -> PodStatus {
        let containers = containers.into_iter().map(|(name, state)| (name.to_owned(), state)).collect();
        status(&pod(), &PodState { containers, ..PodState::default() }, before, Plan::of_slot(0))
    }

    fn holds(status: &PodStatus, type_: &str) -> bool {
        let conditions = status.conditions.as_ref().unwrap();
        conditions.iter().find(|one| one.type_ == type_).unwrap().status == "True"
    }

    #[test]
    fn a_pod_is_ready_when_all_containers_are() {
        let half = seen(vec![("first", ended(0)), ("a", running())], &[]);
        assert_eq!((half.phase.as_deref(), holds(&half, "Ready")), (Some("Running"), false));
        let whole = seen(vec![("first", ended(0)), ("a", running()), ("b", running())], &[]);
        assert!(holds(&whole, "Ready") && holds(&whole, "Initialized"));
    }

    #[test]
    fn a_failed_init_container_fails_the_pod() {
        let failed = seen(vec![("first", ended(2))], &[]);
        assert_eq!((failed.phase.as_deref(), holds(&failed, "Initialized")), (Some("Failed"), false));
    }

    #[test]
    fn a_pod_succeeds_when_all_containers_exit_with_zero() {
        assert_eq!(seen(vec![("a", ended(0)), ("b", ended(0))], &[]).phase.as_deref(), Some("Succeeded"));
        assert_eq!(seen(vec![("a", ended(0)), ("b", ended(137))], &[]).phase.as_deref(), Some("Failed"));
    }

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let first = seen(vec![("a", running())], &[]);
        let before = first.conditions.unwrap();
        let later = seen(vec![("a", running()), ("b", running())], &before);
        let time = |conditions: &[PodCondition], type_: &str| {
            conditions.iter().find(|one| one.type_ == type_).unwrap().last_transition_time.clone()
        };
        let after = later.conditions.unwrap();
        assert_eq!(time(&before, "PodScheduled"), time(&after, "PodScheduled"));
        assert_ne!(time(&before, "Ready"), time(&after, "Ready"));
    }
}
