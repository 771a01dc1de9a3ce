//! Which Secrets, ConfigMaps and ClusterTrustBundles may be read: those that objects of ours refer to, and may.

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrule_translate::api::backend::AwsAuth;
use ferrule_translate::api::gateway::{FrontendTLSConfig, Gateway, Listener};
use ferrule_translate::api::meta::{FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP};
use ferrule_translate::{KINDS, Key, Object, ObjectRef, World};
use serde_json::Value;

use super::kinds::{self, Reading};
use super::watch::{Extent, Source};
use crate::watch::Changes;

/// The objects that may refer to others, and those that decide whether they may.
#[derive(Debug, Default)]
pub(crate) struct Referrers {
    controller_name: String,
    world: World,
}

/// Group and kind of who refers, and its namespace.
type From<'a> = (&'static str, &'static str, &'a str);

impl Referrers {
    pub(crate) fn new(controller_name: &str) -> Self {
        Self { controller_name: controller_name.to_owned(), world: World::default() }
    }

    /// Takes over what has changed; says whether other objects may be referred to now.
    pub(crate) fn update(&mut self, changes: &Changes) -> bool {
        let mut relevant = false;
        for (_, loaded) in changes.put.iter().filter(|(_, loaded)| matters(&loaded.object)) {
            self.world.apply(loaded.object.clone());
            relevant = true;
        }
        for object in &changes.removed {
            relevant |= self.world.remove(object);
        }
        relevant
    }

    /// What is referred to.
    pub(crate) fn sources(&self) -> BTreeSet<Source> {
        let mut found = BTreeSet::new();
        for (key, gateway) in self.world.gateways.iter().filter(|(_, gateway)| self.is_ours(gateway)) {
            self.of_gateway(&key.0, gateway, &mut found);
        }
        for (key, set) in &self.world.listener_sets {
            let from = (GATEWAY_GROUP, "ListenerSet", &*key.0);
            let parent = set.spec.parent_ref.namespace.as_deref().unwrap_or(&key.0);
            let parent: Key = (parent.into(), set.spec.parent_ref.name.as_str().into());
            if self.world.gateways.get(&parent).is_some_and(|gateway| self.is_ours(gateway)) {
                self.of_listeners(from, &set.spec.listeners, &mut found);
            }
        }
        for (key, policy) in &self.world.backend_tls_policies {
            let from = (GATEWAY_GROUP, "BackendTLSPolicy", &*key.0);
            for authority in &policy.spec.validation.ca_certificate_refs {
                self.add(from, (&authority.group, &authority.kind), None, &authority.name, &mut found);
            }
        }
        for (key, policy) in &self.world.traffic_policies {
            self.of_transformation(&key.0, policy.spec.transformation.as_ref(), &mut found);
        }
        for (key, backend) in &self.world.backends {
            let auth = backend.spec.aws.as_ref().and_then(|aws| aws.auth.as_ref());
            self.of_signer((KGATEWAY_GROUP, "Backend", &key.0), auth, &mut found);
        }
        for (key, policy) in &self.world.aws_signing_policies {
            let from = (FERRULE_GROUP, "AWSSigningPolicy", &*key.0);
            self.of_signer(from, policy.spec.auth.as_ref(), &mut found);
        }
        found
    }

    fn is_ours(&self, gateway: &Gateway) -> bool {
        let class: Key = ("".into(), gateway.spec.gateway_class_name.as_str().into());
        let class = self.world.gateway_classes.get(&class);
        class.is_some_and(|class| class.spec.controller_name == self.controller_name)
    }

    fn of_gateway(&self, namespace: &str, gateway: &Gateway, found: &mut BTreeSet<Source>) {
        let from = (GATEWAY_GROUP, "Gateway", namespace);
        self.of_listeners(from, &gateway.spec.listeners, found);
        let Some(tls) = &gateway.spec.tls else { return };
        if let Some(own) = tls.backend.as_ref().and_then(|backend| backend.client_certificate_ref.as_ref()) {
            let (group, kind) =
                (own.group.as_deref().unwrap_or_default(), own.kind.as_deref().unwrap_or("Secret"));
            self.add(from, (group, kind), own.namespace.as_deref(), &own.name, found);
        }
        for authority in tls.frontend.iter().flat_map(authorities) {
            let kind = (authority.group.as_str(), authority.kind.as_str());
            self.add(from, kind, authority.namespace.as_deref(), &authority.name, found);
        }
    }

    fn of_listeners(&self, from: From<'_>, listeners: &[Listener], found: &mut BTreeSet<Source>) {
        for certificate in listeners.iter().filter_map(|l| l.tls.as_ref()).flat_map(|t| &t.certificate_refs) {
            let group = certificate.group.as_deref().unwrap_or_default();
            let kind = certificate.kind.as_deref().unwrap_or("Secret");
            self.add(from, (group, kind), certificate.namespace.as_deref(), &certificate.name, found);
        }
    }

    fn of_signer(&self, from: From<'_>, auth: Option<&AwsAuth>, found: &mut BTreeSet<Source>) {
        if let Some(secret) = auth.and_then(|auth| auth.secret_ref.as_ref()) {
            self.add(from, ("", "Secret"), None, &secret.name, found);
        }
    }

    /// Its `secrets` and `dataSources`.
    fn of_transformation(&self, namespace: &str, config: Option<&Value>, found: &mut BTreeSet<Source>) {
        let from = (KGATEWAY_GROUP, "TrafficPolicy", namespace);
        let Some(config) = config else { return };
        for (map, reference, kind) in
            [("secrets", "secretRef", "Secret"), ("dataSources", "configMapRef", "ConfigMap")]
        {
            for entry in config[map].as_object().into_iter().flat_map(|entries| entries.values()) {
                let Some(name) = entry[reference]["name"].as_str() else { continue };
                self.add(from, ("", kind), entry[reference]["namespace"].as_str(), name, found);
            }
        }
    }

    fn add(
        &self,
        (from_group, from_kind, from_namespace): From<'_>,
        (group, kind): (&str, &str),
        namespace: Option<&str>,
        name: &str,
        found: &mut BTreeSet<Source>,
    ) {
        let by_name = |place: &usize| kinds::reading(&KINDS[*place]) == Reading::ByName;
        let Some(place) = kinds::place(group, kind).filter(by_name) else { return };
        let to = match KINDS[place].namespaced {
            true => ObjectRef::new(group, kind, namespace.unwrap_or(from_namespace), name),
            false => ObjectRef::new(group, kind, "", name),
        };
        let may_refer = || self.world.may_refer((from_group, from_kind), from_namespace, &to);
        if is_name(name) && (to.namespace.is_empty() || may_refer()) {
            found.insert(Source {
                kind: place,
                extent: Extent::Object((Arc::clone(&to.namespace), Arc::clone(&to.name))),
            });
        }
    }
}

fn authorities(
    frontend: &FrontendTLSConfig,
) -> impl Iterator<Item = &ferrule_translate::api::reference::ObjectReference> {
    let all = std::iter::once(&frontend.default).chain(frontend.per_port.iter().map(|port| &port.tls));
    all.filter_map(|tls| tls.validation.as_ref()).flat_map(|validation| &validation.ca_certificate_refs)
}

/// Whether it can be part of a field selector; what is no name is no object's. Bundles of a signer have colons in theirs.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b))
}

fn matters(object: &Object) -> bool {
    matches!(
        object,
        Object::GatewayClass(_)
            | Object::Gateway(_)
            | Object::ListenerSet(_)
            | Object::ReferenceGrant(_)
            | Object::BackendTLSPolicy(_)
            | Object::TrafficPolicy(_)
            | Object::Backend(_)
            | Object::AWSSigningPolicy(_)
    )
}

#[cfg(test)]
mod tests {
    use ferrule_translate::Parsed;
    use serde_json::json;

    use super::*;
    use crate::watch::Loaded;

    fn changes(objects: &[Value]) -> Changes {
        let mut changes = Changes::default();
        for value in objects {
            let Ok(Parsed::Object { object, .. }) = Object::parse(value.clone()) else { panic!("{value}") };
            changes.add(object.reference(), None, Some(Arc::new(Loaded::of_server(object, 0))));
        }
        changes
    }

    fn gateway(class: &str, namespace: &str) -> Value {
        let certificate = json!({"name": "cert", "namespace": "certs"});
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": class, "namespace": namespace},
            "spec": {"gatewayClassName": class, "listeners": [
                {"name": "a", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [certificate, {"name": "own"}]}},
            ]},
        })
    }

    fn class(name: &str, controller: &str) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": name},
            "spec": {"controllerName": controller},
        })
    }

    fn grant() -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"name": "g", "namespace": "certs"},
            "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "d"}],
                "to": [{"group": "", "kind": "Secret"}],
            },
        })
    }

    fn told(referrers: &Referrers) -> Vec<String> {
        referrers.sources().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_our_gateways_may_refer_to_is_read() {
        let mut referrers = Referrers::new("ours");
        let others = [class("a", "theirs"), gateway("a", "d"), class("b", "ours")];
        assert!(referrers.update(&changes(&others)));
        assert_eq!(told(&referrers), [] as [&str; 0]);
        referrers.update(&changes(&[gateway("b", "d")]));
        assert_eq!(told(&referrers), ["Secret d/own"]);
        referrers.update(&changes(&[grant()]));
        assert_eq!(told(&referrers), ["Secret certs/cert", "Secret d/own"]);
        let mut gone = Changes::default();
        gone.removed.insert(ObjectRef::new(GATEWAY_GROUP, "Gateway", "d", "b"));
        assert!(referrers.update(&gone));
        assert_eq!(told(&referrers), [] as [&str; 0]);
    }

    #[test]
    fn transformations_authorities_functions_and_signers_name_what_they_read() {
        let mut referrers = Referrers::new("ours");
        let policy = json!({
            "apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "TrafficPolicy",
            "metadata": {"name": "p", "namespace": "d"},
            "spec": {"transformation": {
                "secrets": {"a": {"secretRef": {"name": "login"}, "key": "k"}, "b": {"secretRef": {"name": "x", "namespace": "other"}}},
                "dataSources": {"c": {"configMapRef": {"name": "texts"}, "key": "k"}, "d": {"inline": "x"}},
            }},
        });
        let tls = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": {"name": "t", "namespace": "d"},
            "spec": {"targetRefs": [], "validation": {"hostname": "h", "caCertificateRefs": [
                {"group": "", "kind": "ConfigMap", "name": "ca"}, {"group": "", "kind": "ConfigMap", "name": "a,b=c"},
                {"group": "x", "kind": "ConfigMap", "name": "no"},
                {"group": "certificates.k8s.io", "kind": "ClusterTrustBundle", "name": "example.com:signer:all"}]}},
        });
        let function = json!({
            "apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": "Backend",
            "metadata": {"name": "f", "namespace": "d"},
            "spec": {"aws": {"auth": {"type": "Secret", "secretRef": {"name": "aws"}}, "lambda": {"functionName": "f"}}},
        });
        let signing = json!({
            "apiVersion": "ferrule.dev/v1alpha1", "kind": "AWSSigningPolicy",
            "metadata": {"name": "s", "namespace": "d"},
            "spec": {"targetRefs": [], "region": "r", "service": "s3", "auth": {"type": "Secret", "secretRef": {"name": "bucket"}}},
        });
        referrers.update(&changes(&[policy, tls, function, signing]));
        let mut told = told(&referrers);
        told.sort();
        let bundle = "ClusterTrustBundle /example.com:signer:all";
        let secrets = ["Secret d/aws", "Secret d/bucket", "Secret d/login"];
        assert_eq!(told, [&[bundle, "ConfigMap d/ca", "ConfigMap d/texts"][..], &secrets].concat());
    }
}
