//! The schemas of all kinds, each compiled when it is first needed.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;

use crate::cel;
use crate::check::check;
use crate::default::{fill, remove_unknown};
use crate::definition::Definition;
use crate::list::check_lists;
use crate::metadata::check_metadata;
use crate::path::Path;
use crate::schema::{Schema, SchemaError};
use crate::violation::{Cause, Findings, Violation};

/// The schemas of kinds by group and kind.
#[derive(Debug)]
pub struct Schemas {
    kinds: HashMap<(String, String), KindSchemas>,
}

#[derive(Debug)]
struct KindSchemas {
    definition: Definition,
    /// In the order of the definition's schemas.
    compiled: Vec<OnceLock<Result<Schema, SchemaError>>>,
}

/// Gateway API's experimental channel, in the form that `just crds` writes.
const GATEWAY_API: [&str; 14] = [
    include_str!("../crds/gateway-api/BackendTLSPolicy.json"),
    include_str!("../crds/gateway-api/GRPCRoute.json"),
    include_str!("../crds/gateway-api/Gateway.json"),
    include_str!("../crds/gateway-api/GatewayClass.json"),
    include_str!("../crds/gateway-api/HTTPRoute.json"),
    include_str!("../crds/gateway-api/ListenerSet.json"),
    include_str!("../crds/gateway-api/ReferenceGrant.json"),
    include_str!("../crds/gateway-api/TCPRoute.json"),
    include_str!("../crds/gateway-api/TLSRoute.json"),
    include_str!("../crds/gateway-api/UDPRoute.json"),
    include_str!("../crds/gateway-api/XBackend.json"),
    include_str!("../crds/gateway-api/XBackendTrafficPolicy.json"),
    include_str!("../crds/gateway-api/XMesh.json"),
    include_str!("../crds/gateway-api/XTelemetryPolicy.json"),
];

impl Schemas {
    /// Those of Gateway API and of the kinds that this project defines.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Schemas> = LazyLock::new(|| {
            // What is built in is read by the tests; were it broken, its kind would be unknown.
            let upstream = GATEWAY_API.iter().filter_map(|text| serde_json::from_str(text).ok());
            let ours = crate::crds().into_iter().filter_map(|crd| Definition::of_crd(&crd).ok());
            Schemas::new(upstream.chain(ours))
        });
        &BUILTIN
    }

    /// Those of some definitions; of two with one kind the later one counts.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Self {
        let kinds = definitions.into_iter().map(|definition| {
            let compiled = definition.schemas.iter().map(|_| OnceLock::new()).collect();
            ((definition.group.clone(), definition.kind.clone()), KindSchemas { definition, compiled })
        });
        Self { kinds: kinds.collect() }
    }

    /// What is known of each kind, in no order.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.kinds.values().map(|kind| &kind.definition)
    }

    /// Compiles everything.
    ///
    /// # Errors
    /// A schema has something that is not understood.
    pub fn compile_all(&self) -> Result<(), SchemaError> {
        for kind in self.kinds.values() {
            for index in 0..kind.compiled.len() {
                kind.schema(index).map(|_| ()).map_err(Clone::clone)?;
            }
        }
        Ok(())
    }

    /// What an API server would refuse `object` for, with its `old` form where there is one. The status is not looked
    /// at: it is not the author's. `None` where the kind is not known.
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Option<Vec<Violation>> {
        self.judge(object, old).map(|(found, _)| found)
    }

    /// The object as an API server would keep it, with its defaults and without its status, or what it would refuse it
    /// for. `None` where the kind is not known.
    pub fn admit(&self, object: &Value) -> Option<Result<Value, Vec<Violation>>> {
        let (found, prepared) = self.judge(object, None)?;
        Some(if found.is_empty() { Ok(prepared) } else { Err(found) })
    }

    fn judge(&self, object: &Value, old: Option<&Value>) -> Option<(Vec<Violation>, Value)> {
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/')?;
        let kind = self.kinds.get(&(group.to_owned(), text("kind").to_owned()))?;
        let (mut found, mut prepared) = (Findings::default(), Value::Null);
        match kind.named(version) {
            Some(Ok(schema)) => prepared = validate(object, old, schema, &kind.definition, &mut found),
            Some(Err(error)) => found.add(Path::Root, Cause::Invalid, error.to_string()),
            None => {
                let known = kind.definition.versions().map(|version| format!("{group}/{version}"));
                let known = known.collect::<Vec<_>>().join(" or ");
                let message = format!("{} is of {known}, not of {group}/{version}", text("kind"));
                found.add(Path::Root.field("apiVersion"), Cause::NotSupported, message);
            }
        }
        Some((found.into_vec(), prepared))
    }
}

impl KindSchemas {
    fn named(&self, version: &str) -> Option<Result<&Schema, &SchemaError>> {
        let has_it = |schema: &crate::VersionedSchema| schema.versions.iter().any(|known| known == version);
        self.definition.schemas.iter().position(has_it).map(|index| self.schema(index))
    }

    fn schema(&self, index: usize) -> Result<&Schema, &SchemaError> {
        self.compiled[index].get_or_init(|| Schema::read(&self.definition.schemas[index].schema)).as_ref()
    }
}

/// Returns the object as the API server would keep it.
fn validate(
    object: &Value,
    old: Option<&Value>,
    schema: &Schema,
    definition: &Definition,
    found: &mut Findings,
) -> Value {
    let prepared = prepare(object, schema, found);
    // What is wrong with the old form is in use already.
    let old = old.map(|old| prepare(old, schema, &mut Findings::default()));
    check_metadata(prepared.get("metadata").unwrap_or(&Value::Null), definition.scope, found);
    check(&prepared, schema, Path::Root, found);
    check_lists(&prepared, schema, Path::Root, found);
    if !found.block_rules() {
        cel::check_rules(&prepared, old.as_ref(), schema, found);
    }
    prepared
}

/// The object as the API server looks at it.
fn prepare(object: &Value, schema: &Schema, found: &mut Findings) -> Value {
    let mut prepared = object.clone();
    if let Value::Object(fields) = &mut prepared {
        fields.shift_remove("status");
    }
    remove_unknown(&mut prepared, schema, Path::Root, found);
    fill(&mut prepared, schema);
    prepared
}
