//! One BackendTLSPolicy: what it asks for, and what is wrong with it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Security;
use crate::api::backend_tls_policy::{BackendTLSPolicy, SubjectAltName};
use crate::api::meta::{CERTIFICATES_GROUP, GATEWAY_GROUP};
use crate::api::reference::ObjectReference;
use crate::gateways::Credentials;
use crate::gateways::tls::{Material, Options};
use crate::hostname;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// How a backend is spoken to by TLS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tls {
    /// SNI.
    pub(crate) hostname: String,
    /// The certificate must be for one of these.
    pub(crate) subjects: Vec<Subject>,
    pub(crate) trust: Trust,
    pub(crate) options: Options,
}

/// Whom a certificate may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A host name, `*.` in front where any host below it is meant.
    Host(String),
    Uri(String),
    Address(IpAddr),
}

/// Whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The authorities of the proxy's operating system.
    System,
    /// Those of an SDS resource, by its name, which says what they are made from.
    Bundle(Arc<str>),
}

/// A BackendTLSPolicy.
pub(crate) struct PolicyPlan {
    pub(crate) policy: Arc<BackendTLSPolicy>,
    pub(crate) reference: ObjectRef,
    pub(crate) problems: Vec<Problem>,
    /// Authorities, with what holds them, in the order of the policy.
    authorities: Vec<(ObjectRef, Material)>,
    tls: Option<Arc<Tls>>,
}

impl PolicyPlan {
    pub(super) fn new(
        world: &World,
        credentials: &mut Credentials,
        key: &Key,
        policy: &Arc<BackendTLSPolicy>,
    ) -> Self {
        let mut plan = Self {
            policy: Arc::clone(policy),
            reference: ObjectRef::at(GATEWAY_GROUP, "BackendTLSPolicy", key),
            problems: Vec::new(),
            authorities: Vec::new(),
            tls: None,
        };
        plan.check_targets(world);
        let trust = plan.trust(world, credentials);
        let subjects = plan.subjects();
        let (options, faults) = Options::read(&policy.spec.options);
        for (option, why) in &faults {
            plan.note(&format!("options[{option}]"), Reason::Invalid, why.clone());
        }
        if let (Some(trust), Some(subjects), true) = (trust, subjects, faults.is_empty()) {
            let hostname = policy.spec.validation.hostname.to_ascii_lowercase();
            plan.tls = Some(Arc::new(Tls { hostname, subjects, trust, options }));
        }
        plan
    }

    /// Services that it is about, each with the name of a port where it is about one.
    pub(crate) fn targets(&self) -> Vec<(Key, Option<String>)> {
        let ours =
            self.policy.spec.target_refs.iter().filter(|target| is_service(&target.group, &target.kind));
        let key = |name: &str| (Arc::clone(&self.reference.namespace), name.into());
        ours.map(|target| (key(&target.name), target.section_name.clone())).collect()
    }

    /// When it was made; those that do not say come last.
    pub(super) fn created(&self) -> (bool, Option<&str>) {
        let created = self.policy.metadata.creation_timestamp.as_deref();
        (created.is_none(), created)
    }

    /// What it makes of connections.
    pub(super) fn security(&self) -> Security {
        self.tls.as_ref().map_or(Security::Closed, |tls| Security::Tls(Arc::clone(tls)))
    }

    /// PEM of its authorities.
    pub(crate) fn authorities(&self) -> Vec<u8> {
        let texts = self.authorities.iter().filter_map(|(_, material)| material.authorities());
        texts.flat_map(|pem| pem.iter().copied().chain([b'\n'])).collect()
    }

    /// What holds them.
    pub(crate) fn holders(&self) -> Vec<ObjectRef> {
        self.authorities.iter().map(|(holder, _)| holder.clone()).collect()
    }

    fn note(&mut self, field: &str, reason: Reason, why: impl Into<String>) {
        self.problems.push(Problem::new(&self.reference, format!("spec.{field}"), reason, why));
    }

    fn check_targets(&mut self, world: &World) {
        let policy = Arc::clone(&self.policy);
        for (place, target) in policy.spec.target_refs.iter().enumerate() {
            let field = format!("targetRefs[{place}]");
            if !is_service(&target.group, &target.kind) {
                let why = format!("{}/{} is not supported; supported: Service", target.group, target.kind);
                self.note(&field, Reason::Invalid, why);
                continue;
            }
            let key: Key = (Arc::clone(&self.reference.namespace), target.name.as_str().into());
            let Some(service) = world.services.get(&key) else {
                self.note(&field, Reason::TargetNotFound, format!("Service {} does not exist", target.name));
                continue;
            };
            let is_port = |name: &String| service.spec.ports.iter().any(|p| p.name.as_ref() == Some(name));
            if let Some(name) = target.section_name.as_ref().filter(|name| !is_port(name)) {
                let why = format!("Service {} has no port called {name}", target.name);
                self.note(&format!("{field}.sectionName"), Reason::TargetNotFound, why);
            }
        }
    }

    fn trust(&mut self, world: &World, credentials: &mut Credentials) -> Option<Trust> {
        let policy = Arc::clone(&self.policy);
        let validation = &policy.spec.validation;
        let well_known = validation.well_known_ca_certificates.as_deref().filter(|name| !name.is_empty());
        match (validation.ca_certificate_refs.is_empty(), well_known) {
            (true, Some("System")) => return Some(Trust::System),
            (true, Some(other)) => {
                let why = format!("{other} is not supported; supported: System");
                self.note("validation.wellKnownCACertificates", Reason::Invalid, why);
                return None;
            }
            (false, None) => {}
            (true, None) | (false, Some(_)) => {
                let why = "needs one of caCertificateRefs and wellKnownCACertificates";
                self.note("validation", Reason::Invalid, why);
                return None;
            }
        }
        for (place, named) in validation.ca_certificate_refs.iter().enumerate() {
            let (group, kind, name) = (named.group.clone(), named.kind.clone(), named.name.clone());
            let named = ObjectReference { group, kind, name, namespace: None };
            match credentials.authorities(world, &self.reference, &named) {
                Ok(material) => {
                    let holder = holder(&material, &self.reference.namespace, &named.name);
                    self.authorities.push((holder, material));
                }
                Err((reason, why)) => {
                    self.note(&format!("validation.caCertificateRefs[{place}]"), of_policy(reason), why);
                }
            }
        }
        if self.authorities.is_empty() {
            let why = "none of the authorities can be used";
            self.note("validation.caCertificateRefs", Reason::NoValidCACertificate, why);
            return None;
        }
        Some(Trust::Bundle(self.bundle().into()))
    }

    /// Names the SDS resource of its authorities: policies with the same ones share it.
    fn bundle(&self) -> String {
        let holder = |holder: &ObjectRef| {
            format!("{}/{}/{}", holder.kind.to_lowercase(), holder.namespace, holder.name)
        };
        let holders: Vec<String> = self.authorities.iter().map(|(object, _)| holder(object)).collect();
        format!("authorities/{}", holders.join("+"))
    }

    /// The host name, unless there are others (BackendTLSPolicyValidation.subjectAltNames).
    fn subjects(&mut self) -> Option<Vec<Subject>> {
        let policy = Arc::clone(&self.policy);
        let validation = &policy.spec.validation;
        let is_precise = !validation.hostname.starts_with('*');
        if let Some(why) =
            (!is_precise).then_some("must not be a wildcard").or(hostname::fault(&validation.hostname))
        {
            self.note("validation.hostname", Reason::Invalid, why);
            return None;
        }
        if validation.subject_alt_names.is_empty() {
            return Some(vec![Subject::Host(validation.hostname.to_ascii_lowercase())]);
        }
        let mut subjects = Vec::new();
        for (place, name) in validation.subject_alt_names.iter().enumerate() {
            match subject(name) {
                Ok(subject) => subjects.push(subject),
                Err(why) => {
                    self.note(&format!("validation.subjectAltNames[{place}]"), Reason::Invalid, why);
                    return None;
                }
            }
        }
        Some(subjects)
    }
}

fn holder(material: &Material, namespace: &str, name: &str) -> ObjectRef {
    match material {
        Material::Secret(_) => ObjectRef::new("", "Secret", namespace, name),
        Material::ConfigMap(_) => ObjectRef::new("", "ConfigMap", namespace, name),
        Material::Bundle(_) => ObjectRef::new(CERTIFICATES_GROUP, "ClusterTrustBundle", "", name),
    }
}

fn is_service(group: &str, kind: &str) -> bool {
    (group, kind) == ("", "Service")
}

/// A listener's word for a kind that holds no authorities is not a policy's.
fn of_policy(reason: Reason) -> Reason {
    if reason == Reason::InvalidCACertificateKind { Reason::InvalidKind } else { reason }
}

fn subject(name: &SubjectAltName) -> Result<Subject, String> {
    match (name.kind.as_str(), &name.hostname, &name.uri) {
        ("Hostname", Some(host), _) => match hostname::fault(host) {
            None => Ok(Subject::Host(host.to_ascii_lowercase())),
            Some(why) => Err(why.to_owned()),
        },
        ("URI", _, Some(uri))
            if uri.split_once(':').is_some_and(|(s, rest)| !s.is_empty() && !rest.is_empty()) =>
        {
            Ok(Subject::Uri(uri.clone()))
        }
        ("URI", ..) => Err("needs a URI with its scheme".to_owned()),
        ("Hostname", ..) => Err("needs a hostname".to_owned()),
        (other, ..) => Err(format!("type {other} is unknown")),
    }
}
