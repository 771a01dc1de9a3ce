//! The certificates that Gateways show to backends (`spec.tls.backend.clientCertificateRef`).

use std::collections::BTreeMap;

use crate::gateways::{Credentials, GatewayPlan, Gateways};
use crate::kinds::World;
use crate::object::Key;
use crate::problem::{Problem, Reason};

const FIELD: &str = "spec.tls.backend.clientCertificateRef";

/// By Gateway, where one is asked for: the Secret, or what is wrong with it.
pub(super) fn certificates(
    world: &World,
    gateways: &Gateways,
    credentials: &mut Credentials,
) -> BTreeMap<Key, Result<Key, Problem>> {
    let plans = gateways.plans.iter();
    plans.filter_map(|(key, plan)| Some((key.clone(), certificate(world, plan, credentials)?))).collect()
}

fn certificate(
    world: &World,
    plan: &GatewayPlan,
    credentials: &mut Credentials,
) -> Option<Result<Key, Problem>> {
    let backend = plan.gateway.spec.tls.as_ref()?.backend.as_ref()?;
    let named = backend.client_certificate_ref.as_ref()?;
    Some(credentials.certificate(world, &plan.reference, named).map_err(|(reason, why)| {
        let reason = match reason {
            Reason::InvalidCertificateRef => Reason::InvalidClientCertificateRef,
            other => other,
        };
        Problem::new(&plan.reference, FIELD, reason, why)
    }))
}
