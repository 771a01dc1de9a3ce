//! Certificates and authorities that objects refer to: whether they may, and whether what is there can be used.
//!
//! Invariant: nothing that is said of a Secret quotes it.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::api::cluster_trust_bundle::ClusterTrustBundle;
use crate::api::config_map::ConfigMap;
use crate::api::meta::CERTIFICATES_GROUP;
use crate::api::reference::{ObjectReference, UsualObjectReference};
use crate::api::secret::Secret;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::Reason;

/// Key of a certificate chain in a Secret of type `kubernetes.io/tls`, the leaf first.
pub(crate) const CERTIFICATE: &str = "tls.crt";
/// Key of the private key in such a Secret.
pub(crate) const PRIVATE_KEY: &str = "tls.key";
/// Key of authorities in a ConfigMap or Secret.
const AUTHORITIES: &str = "ca.crt";

/// Why a reference leads nowhere.
pub(crate) type Unusable = (Reason, String);

/// What has been found out about certificates and authorities. Parsing takes time, so it is done once for an object.
#[derive(Default)]
pub(crate) struct Credentials {
    earlier: Verdicts,
    now: Verdicts,
}

/// The fault, if there is one, by use and object.
type Verdicts = HashMap<(Use, ObjectRef), (Material, Option<String>)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Use {
    Certificate,
    Authorities,
}

/// An object that holds certificates.
#[derive(Clone)]
pub(crate) enum Material {
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
    Bundle(Arc<ClusterTrustBundle>),
}

impl Material {
    /// PEM of the authorities in it.
    pub(crate) fn authorities(&self) -> Option<&[u8]> {
        match self {
            Self::Secret(secret) => secret.value(AUTHORITIES),
            Self::ConfigMap(map) => map.text(AUTHORITIES).map(str::as_bytes),
            Self::Bundle(bundle) => Some(bundle.spec.trust_bundle.as_bytes()),
        }
    }

    /// Objects are immutable, so the same address means the same content.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(ours), Self::Secret(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::ConfigMap(ours), Self::ConfigMap(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Bundle(ours), Self::Bundle(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}

impl Credentials {
    /// Forgets what nobody has asked for since the last time.
    pub(crate) fn begin(&mut self) {
        self.earlier = std::mem::take(&mut self.now);
    }

    /// The Secret with a certificate and its key that `from` refers to. Whether it exists is none of the business of
    /// those who may not refer to it.
    ///
    /// # Errors
    /// `RefNotPermitted` or `InvalidCertificateRef`.
    pub(crate) fn certificate(
        &mut self,
        world: &World,
        from: &ObjectRef,
        named: &UsualObjectReference,
    ) -> Result<Key, Unusable> {
        let (group, kind) = named.kind_or("", "Secret");
        let invalid = |detail: String| (Reason::InvalidCertificateRef, detail);
        if (group, kind) != ("", "Secret") {
            return Err(invalid(format!("{group}/{kind} cannot be a certificate; use a Secret")));
        }
        let to = ObjectRef::new("", kind, named.namespace.as_deref().unwrap_or(&from.namespace), &named.name);
        permit(world, from, &to)?;
        let key: Key = (Arc::clone(&to.namespace), Arc::clone(&to.name));
        let secret = world.secrets.get(&key).ok_or_else(|| invalid(format!("{to} does not exist")))?;
        match self.fault(Use::Certificate, &to, &Material::Secret(Arc::clone(secret))) {
            Some(why) => Err(invalid(format!("{to}: {why}"))),
            None => Ok(key),
        }
    }

    /// What holds the authorities that `from` refers to.
    ///
    /// # Errors
    /// `RefNotPermitted`, `InvalidCACertificateKind` or `InvalidCACertificateRef`.
    pub(crate) fn authorities(
        &mut self,
        world: &World,
        from: &ObjectRef,
        named: &ObjectReference,
    ) -> Result<Material, Unusable> {
        let to = holder(from, named)?;
        permit(world, from, &to)?;
        let invalid = |detail: String| (Reason::InvalidCACertificateRef, detail);
        let material = material(world, &to).ok_or_else(|| invalid(format!("{to} does not exist")))?;
        match self.fault(Use::Authorities, &to, &material) {
            Some(why) => Err(invalid(format!("{to}: {why}"))),
            None => Ok(material),
        }
    }

    fn fault(&mut self, used: Use, on: &ObjectRef, material: &Material) -> Option<String> {
        let id = (used, on.clone());
        let known = self.now.get(&id).or_else(|| self.earlier.get(&id));
        let known = known.filter(|(judged, _)| judged.is(material)).map(|(_, fault)| fault.clone());
        let fault = known.unwrap_or_else(|| judge(used, material).err());
        self.now.insert(id, (material.clone(), fault.clone()));
        fault
    }
}

fn permit(world: &World, from: &ObjectRef, to: &ObjectRef) -> Result<(), Unusable> {
    if to.namespace.is_empty() || world.may_refer((&from.group, &from.kind), &from.namespace, to) {
        return Ok(());
    }
    let detail = format!("no ReferenceGrant in {} lets this {} use {to}", to.namespace, from.kind);
    Err((Reason::RefNotPermitted, detail))
}

/// The object that is named, of a kind that can hold authorities. A ClusterTrustBundle is in no namespace.
fn holder(from: &ObjectRef, named: &ObjectReference) -> Result<ObjectRef, Unusable> {
    let ObjectReference { group, kind, name, namespace } = named;
    match (group.as_str(), kind.as_str()) {
        ("", "ConfigMap" | "Secret") => {
            Ok(ObjectRef::new(group, kind, namespace.as_deref().unwrap_or(&from.namespace), name))
        }
        (CERTIFICATES_GROUP, "ClusterTrustBundle") if namespace.is_some() => {
            let detail = format!("{kind} {name} is in no namespace");
            Err((Reason::InvalidCACertificateRef, detail))
        }
        (CERTIFICATES_GROUP, "ClusterTrustBundle") => Ok(ObjectRef::new(group, kind, "", name)),
        _ => {
            let kinds = "use a ConfigMap, a Secret or a ClusterTrustBundle";
            let detail = format!("{group}/{kind} cannot hold authorities; {kinds}");
            Err((Reason::InvalidCACertificateKind, detail))
        }
    }
}

fn material(world: &World, to: &ObjectRef) -> Option<Material> {
    let key: Key = (Arc::clone(&to.namespace), Arc::clone(&to.name));
    match &*to.kind {
        "ConfigMap" => world.config_maps.get(&key).cloned().map(Material::ConfigMap),
        "Secret" => world.secrets.get(&key).cloned().map(Material::Secret),
        _ => world.cluster_trust_bundles.get(&key).cloned().map(Material::Bundle),
    }
}

fn judge(used: Use, material: &Material) -> Result<(), String> {
    match (used, material) {
        (Use::Certificate, Material::Secret(secret)) => check_pair(secret),
        (Use::Certificate, _) => Err("is no Secret".to_owned()),
        (Use::Authorities, material) => {
            let pem = material.authorities().ok_or_else(|| format!("has no key {AUTHORITIES}"))?;
            chain(pem, AUTHORITIES).map(drop)
        }
    }
}

/// A certificate and the private key that belongs to it, of a kind that Envoy can use.
fn check_pair(secret: &Secret) -> Result<(), String> {
    let value = |key: &str| secret.value(key).ok_or_else(|| format!("has no key {key}"));
    let (certificate, key) = (value(CERTIFICATE)?, value(PRIVATE_KEY)?);
    let chain = chain(certificate, CERTIFICATE)?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|_| format!("{PRIVATE_KEY} is no PEM private key"))?;
    let supported = "RSA of 2048 bits or more, ECDSA on P-256 or P-384";
    let unsupported = || format!("{PRIVATE_KEY} is no private key that is supported: {supported}");
    let key =
        rustls::crypto::ring::sign::any_ecdsa_type(&key).or_else(|_| rsa(&key)).map_err(|_| unsupported())?;
    let of_key = key.public_key().ok_or_else(unsupported)?;
    let fits = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
    match fits.is_some_and(|(_, leaf)| leaf.public_key().raw == &*of_key) {
        true => Ok(()),
        false => Err(format!("{PRIVATE_KEY} is not the key of the first certificate in {CERTIFICATE}")),
    }
}

fn rsa(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
    Ok(Arc::new(rustls::crypto::ring::sign::RsaSigningKey::new(key)?))
}

/// One certificate or more, all of them well-formed.
fn chain(pem: &[u8], key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| format!("{key} is not PEM"))?;
    let is_good =
        |der: &CertificateDer<'_>| X509Certificate::from_der(der).is_ok_and(|(rest, _)| rest.is_empty());
    if certificates.is_empty() {
        return Err(format!("{key} has no PEM certificate"));
    }
    match certificates.iter().position(|der| !is_good(der)) {
        Some(place) => Err(format!("certificate {} in {key} is no X.509 certificate", place + 1)),
        None => Ok(certificates),
    }
}
