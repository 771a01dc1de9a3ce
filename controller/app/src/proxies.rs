//! What the proxies of each Gateway are to be, and what is wrong with what decides that.
//!
//! Made anew for a Gateway only where something that it is made from has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferrule_provision::{Input, ListenerPort, Provision, Settings, listener_ports};
use ferrule_translate::api::gateway::Gateway;
use ferrule_translate::api::gateway_class::GatewayClass;
use ferrule_translate::api::gateway_parameters::GatewayParameters;
use ferrule_translate::api::listener_set::ListenerSet;
use ferrule_translate::api::meta::{Condition, GATEWAY_GROUP};
use ferrule_translate::{Key, ObjectRef, Problem, Status, Store, Translation, World};

/// A Gateway and its proxies.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) provision: Arc<Provision>,
    made_from: MadeFrom,
}

/// Objects are immutable, so the same address means the same content.
#[derive(Clone, Debug)]
struct MadeFrom {
    class: Arc<GatewayClass>,
    parameters: Arc<[Arc<GatewayParameters>]>,
    sets: Vec<Arc<ListenerSet>>,
}

impl MadeFrom {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.class, &other.class)
            && same(&self.parameters, &other.parameters)
            && same(&self.sets, &other.sets)
    }
}

fn same<T>(ours: &[Arc<T>], theirs: &[Arc<T>]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| Arc::ptr_eq(a, b))
}

/// The proxies of all Gateways of ours.
pub(crate) type Fleet = BTreeMap<Key, Proxies>;

/// The proxies of the Gateways that were translated; those of `earlier` are kept where they are still right.
pub(crate) fn plan(world: &World, translation: &Translation, settings: &Settings, earlier: &Fleet) -> Fleet {
    let parameters: Arc<[Arc<GatewayParameters>]> = world.gateway_parameters.values().cloned().collect();
    let sets = accepted_sets(world, translation);
    let all = translation.gateways.keys().filter_map(|key| {
        let gateway = world.gateways.get(key)?;
        let class: Key = ("".into(), gateway.spec.gateway_class_name.as_str().into());
        let made_from = MadeFrom {
            class: Arc::clone(world.gateway_classes.get(&class)?),
            parameters: Arc::clone(&parameters),
            sets: sets.get(key).cloned().unwrap_or_default(),
        };
        let is_right =
            |known: &&Proxies| Arc::ptr_eq(&known.gateway, gateway) && known.made_from.is(&made_from);
        let proxies = earlier.get(key).filter(is_right).cloned();
        let make = || make(gateway, made_from, &world.gateway_parameters, settings);
        Some((key.clone(), proxies.unwrap_or_else(make)))
    });
    all.collect()
}

fn make(
    gateway: &Arc<Gateway>,
    made_from: MadeFrom,
    parameters: &Store<GatewayParameters>,
    settings: &Settings,
) -> Proxies {
    let of_sets = made_from.sets.iter().flat_map(|set| &set.spec.listeners);
    let ports: std::collections::BTreeSet<ListenerPort> =
        listener_ports(gateway.spec.listeners.iter().chain(of_sets));
    let input = Input { gateway, class: &made_from.class, parameters, ports: &ports, settings };
    let provision = Arc::new(ferrule_provision::objects(&input));
    Proxies { gateway: Arc::clone(gateway), provision, made_from }
}

/// The ListenerSets that a Gateway has taken in.
pub(crate) fn accepted_sets(
    world: &World,
    translation: &Translation,
) -> BTreeMap<Key, Vec<Arc<ListenerSet>>> {
    let mut sets: BTreeMap<Key, Vec<Arc<ListenerSet>>> = BTreeMap::new();
    for (key, set) in &world.listener_sets {
        let reference = ObjectRef::new(GATEWAY_GROUP, "ListenerSet", &key.0, &key.1);
        let Some(Status::ListenerSet(status)) = translation.status.get(&reference).map(|status| &**status)
        else {
            continue;
        };
        let is_accepted = |condition: &Condition| condition.kind == "Accepted" && condition.status == "True";
        if status.conditions.iter().any(is_accepted) {
            sets.entry(gateway_of(key, set)).or_default().push(Arc::clone(set));
        }
    }
    sets
}

/// The Gateway that a ListenerSet is for.
pub(crate) fn gateway_of(key: &Key, set: &ListenerSet) -> Key {
    let parent = &set.spec.parent_ref;
    let namespace = parent.namespace.as_deref().map_or_else(|| Arc::clone(&key.0), Arc::from);
    (namespace, parent.name.as_str().into())
}

/// Adds what is wrong with the proxies and their classes to a translation, also to the status of who has it.
pub(crate) fn report(world: &World, fleet: &Fleet, translation: &mut Translation) {
    let of_fleet = fleet.values().flat_map(|proxies| proxies.provision.problems.iter().cloned());
    let classes = world.gateway_classes.values();
    let of_classes =
        classes.flat_map(|class| ferrule_provision::class_problems(class, &world.gateway_parameters));
    let problems: Vec<Problem> = of_fleet.chain(of_classes).collect();
    for problem in problems {
        // A class of another controller has no status of ours.
        if let Some(status) = translation.status.get_mut(&problem.on) {
            lay_over(Arc::make_mut(status), &problem);
            translation.problems.push(problem);
        }
    }
    translation.problems.sort();
    translation.problems.dedup();
}

fn lay_over(status: &mut Status, problem: &Problem) {
    let conditions = match status {
        Status::Gateway(status) => &mut status.conditions,
        Status::GatewayClass(status) => &mut status.conditions,
        _ => return,
    };
    let ours = conditions.iter_mut().find(|one| problem.reason.condition() == Some(&one.kind));
    if let Some(condition) = ours.filter(|condition| condition.status == "True") {
        condition.status = "False".to_owned();
        condition.reason = problem.reason.word();
        condition.message = problem.message();
    }
}

#[cfg(test)]
mod tests {
    use ferrule_translate::{Object, Parsed, Translator};
    use serde_json::{Value, json};

    use super::*;

    fn world(objects: &[Value]) -> World {
        let mut world = World::default();
        for object in objects {
            match Object::parse(object.clone()) {
                Ok(Parsed::Object { object, .. }) => world.apply(object),
                other => panic!("{other:?}"),
            }
        }
        world
    }

    fn class(parameters: Value) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "c"},
            "spec": {"controllerName": "ferrule.dev/gateway-controller", "parametersRef": parameters},
        })
    }

    fn gateway(infrastructure: Value) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "g", "namespace": "d"},
            "spec": {
                "gatewayClassName": "c", "infrastructure": infrastructure,
                "listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}],
            },
        })
    }

    fn translated(world: &World, earlier: &Fleet) -> (Fleet, Translation) {
        let mut translation = Translator::default().translate(world);
        let fleet = plan(world, &translation, &Settings::in_namespace("s"), earlier);
        report(world, &fleet, &mut translation);
        (fleet, translation)
    }

    #[test]
    fn proxies_are_planned_anew_only_when_what_makes_them_changes() {
        let world = world(&[class(Value::Null), gateway(Value::Null)]);
        let (first, _) = translated(&world, &Fleet::default());
        let (second, _) = translated(&world, &first);
        let key: Key = ("d".into(), "g".into());
        assert!(Arc::ptr_eq(&first[&key].provision, &second[&key].provision));
    }

    #[test]
    fn parameters_that_do_not_exist_show_on_the_gateway_and_on_the_class() {
        let reference = json!({"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "p"});
        let mut of_class = reference.clone();
        of_class["namespace"] = "d".into();
        let (_, translation) = translated(
            &world(&[class(of_class), gateway(json!({"parametersRef": reference}))]),
            &Fleet::default(),
        );
        for (kind, namespace, name) in [("Gateway", "d", "g"), ("GatewayClass", "", "c")] {
            let on = ObjectRef::new(GATEWAY_GROUP, kind, namespace, name);
            let status = serde_json::to_value(&**translation.status.get(&on).unwrap()).unwrap();
            assert_eq!(status["conditions"][0]["reason"], "InvalidParameters", "{status}");
            assert!(translation.problems.iter().any(|problem| problem.on == on));
        }
    }
}
