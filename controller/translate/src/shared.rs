//! What the ports of a Gateway share: whom its routes ask, the configuration of native filters that is not any route's, and
//! secrets.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;

use crate::credentials::Identity;
use crate::kinds::World;
use crate::needs::Needs;
use crate::object::ObjectRef;
use crate::policies::{POLICIES, SecretKey};
use crate::settings::FilterHost;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds;

/// Puts the filters that are needed, and the secrets that these read, among a proxy's resources.
pub(crate) fn lower(
    world: &World,
    host: &FilterHost,
    gateway: &ObjectRef,
    needs: &Needs,
    resources: &mut Resources,
    origins: &mut Origins,
) {
    for (name, (auth, routes)) in &needs.auths {
        let filter = Resource::new(name, &auth.discovered(name));
        let from = routes.iter().cloned().collect();
        origins.insert((ResourceKind::ExtensionConfig, Arc::clone(&filter.name)), from);
        resources.insert(ResourceKind::ExtensionConfig, filter);
    }
    let FilterHost::Native { module } = host else { return };
    let from: Arc<[ObjectRef]> = std::iter::once(gateway).chain(&needs.policies).cloned().collect();
    let mut insert = |kind, name: &str, body: Vec<u8>| {
        let resource = Resource::of_bytes(name.into(), body.into());
        origins.insert((kind, Arc::clone(&resource.name)), Arc::clone(&from));
        resources.insert(kind, resource);
    };
    let mut asking = Vec::new();
    for ((policy, used), secrets) in POLICIES.iter().zip(needs.filters).zip(&needs.secrets) {
        if !used {
            continue;
        }
        let filter = xds::filter::native(module, policy.filter(), &policy.shared(secrets));
        insert(ResourceKind::ExtensionConfig, &filter.name, filter.encode_to_vec());
        if !secrets.is_empty() {
            asking.push(filter);
        }
    }
    for (name, identities) in &needs.outbound {
        let filter = xds::filter::native(module, name, &xds::outbound::shared(identities));
        insert(ResourceKind::ExtensionConfig, &filter.name, filter.encode_to_vec());
        asking.push(filter);
    }
    if !asking.is_empty() {
        let name = format!("{}/{}/secrets", gateway.namespace, gateway.name);
        let keeper = xds::secret_keeper::lower(&name, asking);
        insert(ResourceKind::Listener, &name, keeper.encode_to_vec());
    }
    for key in needs.secrets.iter().flatten().collect::<BTreeSet<_>>() {
        secret(world, key, resources, origins);
    }
    for identity in needs.outbound.values().flatten().collect::<BTreeSet<_>>() {
        credentials(world, identity, &from, resources, origins);
    }
}

/// The credentials of who signs; a refusal is told where they come from.
fn credentials(
    world: &World,
    identity: &Identity,
    users: &Arc<[ObjectRef]>,
    resources: &mut Resources,
    origins: &mut Origins,
) {
    let Some(text) = world.credentials_of(identity) else { return };
    let name: Arc<str> = identity.to_string().into();
    let secret = xds::secret::lower(&name, text.bytes());
    resources.insert(ResourceKind::Secret, Resource::new(&name, &secret));
    let origin = match identity {
        Identity::Secret(key) => [ObjectRef::at("", "Secret", key)].into(),
        Identity::Own | Identity::Role { .. } => Arc::clone(users),
    };
    origins.insert((ResourceKind::Secret, name), origin);
}

fn secret(world: &World, key: &SecretKey, resources: &mut Resources, origins: &mut Origins) {
    // What is not there was a policy's fault, and no route needs it.
    let Some(value) = world.secrets.get(&key.secret).and_then(|secret| secret.value(&key.key)) else {
        return;
    };
    let name: Arc<str> = key.to_string().into();
    let secret = xds::secret::lower(&name, value);
    resources.insert(ResourceKind::Secret, Resource::new(&name, &secret));
    let origin = ObjectRef::at("", "Secret", &key.secret);
    origins.insert((ResourceKind::Secret, name), [origin].into());
}
