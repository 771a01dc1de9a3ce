//! A file for each object's status.
//!
//! Invariants: a status written once is read again after a restart, so that transition times stay; only files of ours
//! are removed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
use ferrule_translate::{ObjectNames, ObjectRef, Status};
use serde_json::{Value, json};

use crate::manifest::{self, Part};
use crate::record::Record;
use crate::yaml;

/// A folder of files.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// What an earlier run left in the folder, by file name.
    earlier: HashMap<String, Value>,
}

impl Files {
    /// # Errors
    /// The folder cannot be made or read.
    pub(super) fn open(folder: PathBuf) -> anyhow::Result<Self> {
        let earlier = read_earlier(&folder).with_context(|| format!("--status-dir {}", folder.display()))?;
        Ok(Self { folder, earlier })
    }

    /// What an earlier run wrote of an object; asked once.
    pub(super) fn take_earlier(&mut self, object: &ObjectRef, like: &Status) -> Option<Status> {
        revive(self.earlier.remove(&file_name(object))?, like)
    }

    pub(super) fn write(&self, object: &ObjectRef, status: &Status) {
        let path = self.folder.join(file_name(object));
        if let Err(error) = put(&path, &Record::of(object, status)) {
            tracing::error!("{}: {error:#}", path.display());
        }
    }

    pub(super) fn remove(&self, object: &ObjectRef) {
        self.remove_file(&file_name(object));
    }

    /// Removes what an earlier run wrote of objects that nobody asked for.
    pub(super) fn remove_earlier(&mut self) {
        for name in std::mem::take(&mut self.earlier).into_keys() {
            self.remove_file(&name);
        }
    }

    fn remove_file(&self, name: &str) {
        // Someone else may have removed it.
        let _ = fs::remove_file(self.folder.join(name));
    }
}

const SUFFIX: &str = ".status.yaml";

/// `kind.namespace.name.status.yaml`, without a namespace where the kind has none. The reader of manifests lets through
/// only names without a slash.
fn file_name(object: &ObjectRef) -> String {
    let ObjectNames { kind, namespace, name, .. } = &**object;
    let dot = if namespace.is_empty() { "" } else { "." };
    format!("{}.{namespace}{dot}{name}{SUFFIX}", kind.to_lowercase()).replace('/', "_")
}

/// Writes a file so that readers see the old one or the new one.
fn put(path: &Path, record: &Record) -> anyhow::Result<()> {
    let mut metadata = json!({"name": record.name});
    if !record.namespace.is_empty() {
        metadata["namespace"] = record.namespace.as_str().into();
    }
    let object = json!({"apiVersion": record.api_version, "kind": record.kind, "metadata": metadata, "status": record.status});
    let draft = path.with_extension("draft");
    fs::write(&draft, yaml::documents(&[object])?)?;
    Ok(fs::rename(draft, path)?)
}

fn read_earlier(folder: &Path) -> io::Result<HashMap<String, Value>> {
    fs::create_dir_all(folder)?;
    let mut earlier = HashMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(SUFFIX))
        else {
            continue;
        };
        // A file that cannot be read has no times to keep.
        let parts = manifest::read(&fs::read_to_string(&path).unwrap_or_default());
        if let Some(Part::Object(object)) = parts.into_iter().next()
            && let Value::Object(mut fields) = object.value
            && let Some(status) = fields.remove("status")
        {
            earlier.insert(name.to_owned(), status);
        }
    }
    Ok(earlier)
}

/// A status that was written by an earlier run, for an object of the same kind as `like`.
fn revive(value: Value, like: &Status) -> Option<Status> {
    Some(match like {
        Status::GatewayClass(_) => Status::GatewayClass(serde_json::from_value(value).ok()?),
        Status::Gateway(_) => Status::Gateway(serde_json::from_value(value).ok()?),
        Status::ListenerSet(_) => Status::ListenerSet(serde_json::from_value(value).ok()?),
        Status::Route(_) => Status::Route(serde_json::from_value(value).ok()?),
        Status::Backend(_) => Status::Backend(serde_json::from_value(value).ok()?),
        Status::Policy(_) => Status::Policy(serde_json::from_value(value).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use ferrule_translate::api::meta::KGATEWAY_GROUP;

    use super::*;

    #[test]
    fn files_are_named_by_kind_namespace_and_name() {
        let name = |kind, namespace| file_name(&ObjectRef::new(KGATEWAY_GROUP, kind, namespace, "a.b"));
        assert_eq!(name("Backend", "d"), "backend.d.a.b.status.yaml");
        assert_eq!(name("GatewayClass", ""), "gatewayclass.a.b.status.yaml");
    }
}
