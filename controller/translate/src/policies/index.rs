//! Which TrafficPolicies and CachePolicies apply to what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::references::Surroundings;
use super::target::{KINDS, Target, exists, kind_of, targets};
use super::{AllReferences, Compiled, FilterConfig, Own, POLICIES, Setting, Settings, compile, references};
use crate::api::cache_policy::CachePolicy;
use crate::api::meta::{FERRULE_GROUP, KGATEWAY_GROUP};
use crate::api::traffic_policy::{TrafficPolicy, TrafficPolicySpec};
use crate::kinds::{Store, World};
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// One compiled TrafficPolicy.
#[derive(Debug)]
pub(crate) struct CompiledPolicy {
    source: Arc<TrafficPolicy>,
    references: AllReferences,
    pub(crate) reference: ObjectRef,
    compiled: Compiled,
}

/// What applies to a target or to a chain of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applied {
    settings: Settings,
    unsupported: bool,
    /// Policies that a route names and that do not exist.
    pub(crate) missing: Vec<Key>,
    /// Policies that went into this, for origins and for comparison with a later translation.
    pub(crate) from: Vec<Arc<CompiledPolicy>>,
}

impl PartialEq for Applied {
    fn eq(&self, other: &Self) -> bool {
        self.missing == other.missing
            && self.from.len() == other.from.len()
            && self.from.iter().zip(&other.from).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }
}

impl Applied {
    /// Fills what this, the more specific, leaves open from `wider`, field by field.
    pub(crate) fn over(mut self, wider: &Self) -> Self {
        for (slot, wide) in self.settings.iter_mut().zip(&wider.settings) {
            *slot = slot.take().or_else(|| wide.clone());
        }
        self.unsupported |= wider.unsupported;
        self.missing.extend_from_slice(&wider.missing);
        self.from.extend(wider.from.iter().cloned());
        self
    }

    /// Whether a policy applies that cannot be carried out: what it protects must not be served.
    pub(crate) fn is_broken(&self) -> bool {
        self.unsupported || !self.missing.is_empty() || self.settings.contains(&Some(Setting::Broken))
    }

    /// Whether responses are to be decompressed.
    pub(crate) fn decompresses(&self) -> bool {
        self.configs().flatten().any(|config| config.decompresses)
    }

    /// What applies otherwise to a route that has something of its own, and nothing else.
    pub(crate) fn apart(&self, own: &Own<'_>) -> Self {
        let mut settings = Settings::default();
        for ((slot, policy), config) in settings.iter_mut().zip(POLICIES).zip(self.configs()) {
            let apart = config.and_then(|config| config.apart(policy, own));
            *slot = apart.map(|config| Setting::Config(Arc::new(config)));
        }
        Self { settings, ..Self::default() }
    }

    /// Configurations by place in [`super::POLICIES`].
    pub(crate) fn configs(&self) -> impl Iterator<Item = Option<&Arc<FilterConfig>>> {
        self.settings.iter().map(|setting| setting.as_ref().and_then(Setting::config))
    }
}

/// The policies of one kind, by target; compiled ones are kept from one translation to the next.
pub(crate) struct Attached {
    /// Group and kind.
    pub(crate) kind: (&'static str, &'static str),
    compiled: BTreeMap<Key, Arc<CompiledPolicy>>,
    by_target: HashMap<Target, Vec<Arc<CompiledPolicy>>>,
    /// Targets of each policy, in order.
    pub(crate) targets: BTreeMap<Key, Vec<Target>>,
}

impl Attached {
    fn of(kind: (&'static str, &'static str)) -> Self {
        Self { kind, compiled: BTreeMap::new(), by_target: HashMap::new(), targets: BTreeMap::new() }
    }

    /// Brings the index up to date; says whether anything that it answers may have changed.
    fn update(
        &mut self,
        policies: &Store<TrafficPolicy>,
        world: &World,
        settings: &crate::settings::Settings,
    ) -> bool {
        let before = self.compiled.len();
        self.compiled.retain(|key, _| policies.contains_key(key));
        let mut changed = self.compiled.len() != before;
        for (key, policy) in policies {
            let around = Surroundings { world, settings, namespace: &key.0 };
            let references = references(&policy.spec, &around);
            let is_current = |known: &Arc<CompiledPolicy>| {
                Arc::ptr_eq(&known.source, policy) && known.references == references
            };
            if !self.compiled.get(key).is_some_and(is_current) {
                self.compiled.insert(key.clone(), Arc::new(compiled(self.kind, policy, references)));
                changed = true;
            }
        }
        if changed || self.selects() {
            let before = std::mem::take(&mut self.targets);
            self.index(world);
            changed |= before != self.targets;
        }
        changed
    }

    fn index(&mut self, world: &World) {
        self.by_target.clear();
        for (key, policy) in &self.compiled {
            let targets = targets(world, &policy.source);
            for target in &targets {
                self.by_target.entry(target.clone()).or_default().push(Arc::clone(policy));
            }
            self.targets.insert(key.clone(), targets);
        }
        for policies in self.by_target.values_mut() {
            policies.sort_by_key(|policy| policy.age());
        }
    }

    /// Whether any policy chooses its targets by their labels.
    fn selects(&self) -> bool {
        self.compiled.values().any(|policy| !policy.source.spec.target_selectors.is_empty())
    }

    /// Whether any policy is attached to a kind at all; saves looking.
    fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    /// What is attached to exactly this target: field by field, the oldest policy that has it.
    fn at(&self, target: &Target) -> Applied {
        let attached = self.by_target.get(target).map_or(&[][..], Vec::as_slice);
        attached.iter().map(applied).fold(Applied::default(), |older, younger| older.over(&younger))
    }

    /// A policy that a route names in a filter. One that does not exist must not be skipped (HTTPRouteFilter.extensionRef).
    fn named(&self, key: Key) -> Applied {
        let missing = |key| Applied { missing: vec![key], ..Applied::default() };
        self.compiled.get(&key).map(applied).unwrap_or_else(|| missing(key))
    }

    /// A policy's generation.
    pub(crate) fn generation(&self, key: &Key) -> i64 {
        self.compiled.get(key).and_then(|policy| policy.source.metadata.generation).unwrap_or_default()
    }

    /// What is wrong with a policy wherever it is attached.
    pub(crate) fn faults(&self, key: &Key) -> Vec<Problem> {
        let Some(policy) = self.compiled.get(key) else { return Vec::new() };
        let on = &policy.reference;
        let mut problems: Vec<Problem> = policy
            .compiled
            .faults
            .iter()
            .map(|(field, why)| Problem::new(on, field, Reason::Invalid, why))
            .collect();
        let spec = &policy.source.spec;
        let by_name = spec.target_refs.iter().map(|target| ("targetRefs", &target.group, &target.kind));
        let by_label = spec.target_selectors.iter().map(|t| ("targetSelectors", &t.group, &t.kind));
        for (list, group, kind) in
            by_name.chain(by_label).filter(|(_, group, kind)| kind_of(group, kind).is_none())
        {
            let detail = format!("{group}/{kind} is not supported; supported: {}", KINDS.join(", "));
            problems.push(Problem::new(on, format!("spec.{list}"), Reason::Invalid, detail));
        }
        problems
    }

    /// What is wrong with a policy at one of its targets.
    pub(crate) fn problem(&self, world: &World, key: &Key, target: &Target) -> Option<Problem> {
        let policy = self.compiled.get(key)?;
        let on = &policy.reference;
        if !exists(world, target) {
            return Some(Problem::new(
                on,
                "spec.targetRefs",
                Reason::TargetNotFound,
                format!("{target} does not exist"),
            ));
        }
        let older = self.by_target.get(target)?.iter().take_while(|other| !Arc::ptr_eq(other, policy));
        let winner = older.into_iter().find(|older| older.clashes(policy))?;
        let detail = format!("{} is older and says something else for {target}", winner.reference);
        Some(Problem::new(on, "spec.targetRefs", Reason::Conflicted, detail))
    }
}

/// The policies of a world.
pub(crate) struct PolicyIndex {
    traffic: Attached,
    caches: Attached,
    /// CachePolicies as they are and as they are indexed.
    known: BTreeMap<Key, (Arc<CachePolicy>, Arc<TrafficPolicy>)>,
}

impl Default for PolicyIndex {
    fn default() -> Self {
        Self {
            traffic: Attached::of((KGATEWAY_GROUP, "TrafficPolicy")),
            caches: Attached::of((FERRULE_GROUP, "CachePolicy")),
            known: BTreeMap::new(),
        }
    }
}

impl PolicyIndex {
    /// Brings the index up to date; says whether anything that it answers may have changed.
    pub(crate) fn update(&mut self, world: &World, settings: &crate::settings::Settings) -> bool {
        let known = std::mem::take(&mut self.known);
        for (key, policy) in &world.cache_policies {
            let same = known.get(key).filter(|(source, _)| Arc::ptr_eq(source, policy)).cloned();
            let entry = same.unwrap_or_else(|| (Arc::clone(policy), Arc::new(cached(key, policy))));
            self.known.insert(key.clone(), entry);
        }
        let mut caches = Store::default();
        for (key, (_, policy)) in &self.known {
            caches.insert(key.clone(), Arc::clone(policy));
        }
        let changed = self.traffic.update(&world.traffic_policies, world, settings);
        self.caches.update(&caches, world, settings) || changed
    }

    /// Policies by their kind.
    pub(crate) fn kinds(&self) -> [&Attached; 2] {
        [&self.caches, &self.traffic]
    }

    /// Whether any policy chooses its targets by their labels.
    pub(crate) fn selects(&self) -> bool {
        self.kinds().iter().any(|attached| attached.selects())
    }

    /// Whether any policy is attached to a kind at all; saves looking.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds().iter().all(|attached| attached.is_empty())
    }

    /// What is attached to exactly this target: field by field, the oldest policy that has it.
    pub(crate) fn at(&self, target: &Target) -> Applied {
        self.traffic.at(target).over(&self.caches.at(target))
    }

    /// A TrafficPolicy that a route names in a filter.
    pub(crate) fn named(&self, key: Key) -> Applied {
        self.traffic.named(key)
    }
}

/// A CachePolicy as a policy that has one field. Its storage has its name, so that what is stored outlives changes of routes; one that
/// is named is the namespace's, so that no one purges what is another's.
fn cached((namespace, name): &Key, policy: &CachePolicy) -> TrafficPolicy {
    let mut cache = policy.spec.cache.clone();
    let storage = cache.entry("storage").or_insert_with(|| json!({}));
    match storage.as_object_mut().map(|storage| storage.entry("name").or_insert(Value::Null)) {
        Some(own @ Value::Null) => *own = format!("{namespace}/{name}").into(),
        Some(Value::String(shared)) => *shared = format!("{namespace}/storage/{shared}"),
        _ => {}
    }
    let spec = TrafficPolicySpec {
        target_refs: policy.spec.target_refs.clone(),
        target_selectors: policy.spec.target_selectors.clone(),
        cache: Some(cache.into()),
        ..TrafficPolicySpec::default()
    };
    TrafficPolicy { metadata: policy.metadata.clone(), spec, status: policy.status }
}

impl CompiledPolicy {
    /// Older policies win; those that do not say when they were made come last.
    fn age(&self) -> (bool, Option<String>, ObjectRef) {
        let made = self.source.metadata.creation_timestamp.clone();
        (made.is_none(), made, self.reference.clone())
    }

    /// Whether both have something to say to one filter.
    fn clashes(&self, other: &Self) -> bool {
        let both = self.compiled.settings.iter().zip(&other.compiled.settings);
        both.into_iter().any(|(ours, theirs)| ours.is_some() && theirs.is_some())
    }
}

fn applied(policy: &Arc<CompiledPolicy>) -> Applied {
    let Compiled { settings, unsupported, .. } = &policy.compiled;
    Applied {
        settings: settings.clone(),
        unsupported: *unsupported,
        missing: Vec::new(),
        from: vec![Arc::clone(policy)],
    }
}

fn compiled(
    (group, kind): (&str, &str),
    policy: &Arc<TrafficPolicy>,
    references: AllReferences,
) -> CompiledPolicy {
    let metadata = &policy.metadata;
    let reference = ObjectRef::new(group, kind, &metadata.namespace, &metadata.name);
    let compiled = compile(&policy.spec, &references);
    CompiledPolicy { source: Arc::clone(policy), references, reference, compiled }
}
