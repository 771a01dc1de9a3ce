//! How TLS of clients ends at a listener: its certificates, what is negotiated, and which clients are let in.

mod credentials;
mod frontend;
mod options;

use std::sync::Arc;

use super::{GatewayPlan, ListenerPlan, Protocol};
use crate::kinds::World;
use crate::object::Key;
use crate::problem::Reason;

pub(crate) use credentials::{CERTIFICATE, Credentials, Material, PRIVATE_KEY};
pub(crate) use frontend::ClientValidation;
pub(crate) use options::{Options, Version};

/// How TLS ends at a listener.
#[derive(Clone)]
pub(crate) struct Termination {
    /// Secrets, at least one, in the order of the listener's references.
    pub(crate) certificates: Vec<Key>,
    pub(crate) options: Options,
    /// How clients' certificates are checked, where they are.
    pub(crate) clients: Option<Arc<ClientValidation>>,
}

/// Looks up what the listeners of a Gateway need for TLS, and notes what is wrong with it.
pub(super) fn resolve(world: &World, credentials: &mut Credentials, plan: &mut GatewayPlan) {
    let frontend = frontend::Frontend::of(world, credentials, plan);
    plan.insecure = frontend.is_insecure();
    for listener in &mut plan.listeners {
        if !listener.protocol.is_some_and(Protocol::terminates) {
            continue;
        }
        let options = options(listener);
        let certificates = certificates(world, credentials, listener);
        // Client certificates are asked for by listeners that serve HTTPS (FrontendTLSConfig).
        let clients = match listener.protocol {
            Some(Protocol::Https) => frontend.apply(listener),
            _ => None,
        };
        listener.termination =
            (!certificates.is_empty()).then_some(Termination { certificates, options, clients });
    }
}

fn options(listener: &mut ListenerPlan) -> Options {
    let written = listener.spec().tls.as_ref().map(|tls| tls.options.clone()).unwrap_or_default();
    let (options, faults) = Options::read(&written);
    for (key, why) in faults {
        listener.note(&format!("tls.options[{key}]"), Reason::UnsupportedValue, why);
    }
    options
}

/// The certificates that can be used; those that cannot are noted.
fn certificates(world: &World, credentials: &mut Credentials, listener: &mut ListenerPlan) -> Vec<Key> {
    let references = listener.spec().tls.as_ref().map(|tls| tls.certificate_refs.clone()).unwrap_or_default();
    if references.is_empty() {
        let detail = "needs at least one certificate where TLS ends";
        listener.note("tls.certificateRefs", Reason::InvalidCertificateRef, detail);
    }
    let mut usable: Vec<Key> = Vec::new();
    for (place, reference) in references.iter().enumerate() {
        match credentials.certificate(world, &listener.owner, reference) {
            Ok(key) if usable.contains(&key) => {}
            Ok(key) => usable.push(key),
            Err((reason, why)) => listener.note(&format!("tls.certificateRefs[{place}]"), reason, why),
        }
    }
    usable
}
