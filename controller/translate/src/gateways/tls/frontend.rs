//! `Gateway.spec.tls.frontend`: certificates that clients must show (GEP-91).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Credentials, Material};
use crate::api::gateway::{FrontendTLSValidation, TLSConfig};
use crate::gateways::{GatewayPlan, ListenerPlan};
use crate::kinds::World;
use crate::object::ObjectRef;
use crate::problem::{Problem, Reason};

/// How certificates of clients are checked.
pub(crate) struct ClientValidation {
    /// Name of the authorities among a proxy's secrets.
    pub(crate) name: Arc<str>,
    /// What holds the authorities.
    pub(crate) authorities: Vec<Material>,
    /// Objects that the authorities are in.
    pub(crate) from: ObjectRef,
    /// Whether clients that show no valid certificate are let in, too.
    pub(crate) insecure: bool,
}

/// What a Gateway asks of clients, by port.
#[derive(Default)]
pub(super) struct Frontend {
    default: Asked,
    by_port: BTreeMap<u16, Asked>,
}

/// What clients of some ports are asked for.
#[derive(Default)]
struct Asked {
    clients: Option<Arc<ClientValidation>>,
    problems: Vec<Problem>,
    insecure: bool,
}

impl Frontend {
    /// Looks up what a Gateway asks for.
    pub(super) fn of(world: &World, credentials: &mut Credentials, plan: &GatewayPlan) -> Self {
        let frontend = plan.gateway.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref());
        let Some(frontend) = frontend else { return Self::default() };
        let mut ask = |config: &TLSConfig, place: &str, field: &str| {
            let field = format!("spec.tls.frontend.{field}.validation");
            let validation = config.validation.as_ref();
            validation.map(|asked| Asked::of(world, credentials, &plan.reference, asked, place, &field))
        };
        let default = ask(&frontend.default, "default", "default").unwrap_or_default();
        let mut by_port = BTreeMap::new();
        for (place, port) in frontend.per_port.iter().enumerate() {
            let asked = ask(&port.tls, &port.port.to_string(), &format!("perPort[{place}].tls"));
            // Of several entries for a port the first counts; the API server lets none but one in.
            by_port.entry(port.port).or_insert_with(|| asked.unwrap_or_default());
        }
        Self { default, by_port }
    }

    /// Whether any port lets clients in without a valid certificate though it asks for one.
    pub(super) fn is_insecure(&self) -> bool {
        std::iter::once(&self.default).chain(self.by_port.values()).any(|asked| asked.insecure)
    }

    /// What clients of a listener are asked for; what is wrong with that is noted.
    pub(super) fn apply(&self, listener: &mut ListenerPlan) -> Option<Arc<ClientValidation>> {
        let asked = self.by_port.get(&listener.port).unwrap_or(&self.default);
        listener.problems.extend(asked.problems.iter().cloned());
        asked.clients.clone()
    }
}

impl Asked {
    fn of(
        world: &World,
        credentials: &mut Credentials,
        gateway: &ObjectRef,
        asked: &FrontendTLSValidation,
        place: &str,
        field: &str,
    ) -> Self {
        let mut problems = Vec::new();
        let mut note = |inner: &str, reason, detail: String| {
            problems.push(Problem::new(gateway, format!("{field}.{inner}"), reason, detail));
        };
        let mode = asked.mode.as_deref().unwrap_or("AllowValidOnly");
        if !matches!(mode, "AllowValidOnly" | "AllowInsecureFallback") {
            note("mode", Reason::UnsupportedValue, format!("{mode} is not supported"));
        }
        let mut authorities = Vec::new();
        for (place, reference) in asked.ca_certificate_refs.iter().enumerate() {
            match credentials.authorities(world, gateway, reference) {
                Ok(material) => authorities.push(material),
                Err((reason, why)) => note(&format!("caCertificateRefs[{place}]"), reason, why),
            }
        }
        if authorities.is_empty() {
            note("caCertificateRefs", Reason::NoValidCACertificate, "no authority can be used".to_owned());
        }
        let insecure = mode == "AllowInsecureFallback";
        let name = format!("{}/{}/frontend/{place}", gateway.namespace, gateway.name).into();
        let clients = ClientValidation { name, authorities, from: gateway.clone(), insecure };
        Self { clients: Some(Arc::new(clients)), problems, insecure }
    }
}
