//! A table for each host of a port, and what is carried of them.
//!
//! A table is lowered again when its host's routes, or what stands around them, have changed.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message;

use super::host::{Around, Host, HostRoute, Lowering, policies_of, shadows};
use super::http::Served;
use crate::carried::Carried;
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::policies::Applied;
use crate::problem::Problem;
use crate::translation::{Origins, Resource, ResourceKind, Resources};
use crate::xds;
use crate::xds::routes::RouteConfigurationBuilder;

/// The tables of all ports, by Gateway and port.
#[derive(Default)]
pub(crate) struct Tables {
    earlier: HashMap<(Key, u16), PortTables>,
    now: HashMap<(Key, u16), PortTables>,
}

/// By domain.
type PortTables = Carried<String, Table>;

/// A host's table, and what it was made from.
struct Table {
    routes: Vec<HostRoute>,
    gateway: Applied,
    listener: Applied,
    chain: Option<String>,
    scope: Resource,
    table: Resource,
    origin: Arc<[ObjectRef]>,
    needs: Needs,
    problems: Vec<Problem>,
}

impl Tables {
    /// Ends a translation: forgets the ports that were not lowered in it.
    pub(crate) fn settle(&mut self) {
        self.earlier = std::mem::take(&mut self.now);
    }

    /// Lowers the hosts of a port. Returns what their routes need.
    pub(super) fn lower(
        &mut self,
        module: &str,
        served: &mut Served<'_>,
        resources: &mut Resources,
        origins: &mut Origins,
        problems: &mut Vec<Problem>,
    ) -> Needs {
        let port: (Key, u16) = (served.key.clone(), served.port);
        let mut tables = self.earlier.remove(&port).unwrap_or_default();
        let hosts = std::mem::take(&mut served.hosts);
        tables.renew(hosts.into_iter(), |domain, host, earlier| {
            let around = served.around(host.listener);
            let known = earlier.filter(|table| table.holds(&host, &around));
            known.unwrap_or_else(|| Table::new(module, served, &around, domain, host))
        });
        let mut needs = Needs::default();
        for (_, table) in tables.iter() {
            needs.extend(table.needs.clone());
            problems.extend_from_slice(&table.problems);
        }
        put(&tables, ResourceKind::ScopedRoutes, |table| &table.scope, resources, origins);
        put(&tables, ResourceKind::Routes, |table| &table.table, resources, origins);
        self.now.insert(port, tables);
        needs
    }
}

/// Puts one resource of each table among a proxy's; all at once, because there are many.
fn put(
    tables: &PortTables,
    kind: ResourceKind,
    of: impl Fn(&Table) -> &Resource,
    resources: &mut Resources,
    origins: &mut Origins,
) {
    let all = || tables.iter().map(|(_, table)| table);
    resources.extend(kind, all().map(|table| of(table).clone()));
    let from = all().map(|table| ((kind, Arc::clone(&of(table).name)), Arc::clone(&table.origin)));
    origins.extend(from);
}

impl Table {
    fn new(module: &str, served: &Served<'_>, around: &Around<'_>, domain: &str, host: Host) -> Self {
        let key = xds::scope::key(served.port, domain);
        let name: Arc<str> = format!("{}/{}/{key}", served.key.0, served.key.1).into();
        let entries = host.entries();
        let problems = shadows(domain, &entries);
        let mut lowering = Lowering::default();
        let mut filters = lowering.filters_of_gateway(around.host, around.gateway);
        let label = if domain.is_empty() { "*" } else { domain };
        let virtual_host = lowering.virtual_host(around, (label, "*"), &entries);
        let needs = lowering.needs;
        filters.extend(xds::scope::of_table(module, &key, needs.is_any()));
        let mut configuration = RouteConfigurationBuilder::new(&name, &filters, &served.hidden());
        configuration.virtual_host(&virtual_host);
        drop(entries);
        let scope = xds::scope::lower(&name, &key).encode_to_vec();
        Self {
            scope: Resource::of_bytes(Arc::clone(&name), scope.into()),
            table: Resource::of_bytes(name, configuration.finish().into()),
            origin: origin(served, around, &host),
            gateway: around.gateway.clone(),
            listener: around.listener.clone(),
            chain: around.chain.clone(),
            routes: host.routes,
            needs,
            problems,
        }
    }

    /// Whether it is still right.
    fn holds(&self, host: &Host, around: &Around<'_>) -> bool {
        self.routes == host.routes
            && self.chain == around.chain
            && self.gateway == *around.gateway
            && self.listener == *around.listener
    }
}

/// The routes, what is attached to them, and the Gateway.
fn origin(served: &Served<'_>, around: &Around<'_>, host: &Host) -> Arc<[ObjectRef]> {
    let mut from: Vec<ObjectRef> = host.routes.iter().map(|route| route.reference.clone()).collect();
    let wider = [around.gateway, around.listener].into_iter();
    from.extend(policies_of(wider.chain(host.routes.iter().flat_map(HostRoute::applied))));
    from.sort();
    from.dedup();
    from.push(served.plan.reference.clone());
    from.into()
}
