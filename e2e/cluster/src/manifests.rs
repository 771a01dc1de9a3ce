//! Applies manifests: YAML of any kinds, by server-side apply.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope};
use kube::{Api, Client};

/// Who owns what is applied here.
const FIELD_MANAGER: &str = "ferrule-cluster";

/// How long definitions may take to be served.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Applies all YAML files of a folder but `kustomization.yaml`, in the order of their names.
///
/// # Errors
/// A file cannot be read or is refused; the error names it.
pub(crate) async fn apply_folder(client: &Client, folder: &Path) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
        if is_yaml && path.file_name().is_some_and(|name| name != "kustomization.yaml") {
            let text = std::fs::read_to_string(&path)?;
            apply(client, &text).await.with_context(|| format!("applying {}", path.display()))?;
        }
    }
    Ok(())
}

/// Applies the resources of a kustomization in its order: files, and folders with kustomizations of their own. Nothing else
/// of it is known here.
///
/// # Errors
/// A file cannot be read or is refused; the error names it.
pub(crate) async fn apply_kustomization(client: &Client, folder: &Path) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Kustomization {
        resources: Vec<String>,
    }
    let path = folder.join("kustomization.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let kustomization: Kustomization = serde_saphyr::from_str(&text)?;
    for resource in kustomization.resources {
        let path = folder.join(resource);
        if path.is_dir() {
            Box::pin(apply_kustomization(client, &path)).await?;
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        apply(client, &text).await.with_context(|| format!("applying {}", path.display()))?;
        wait_for_definitions(client).await?;
    }
    Ok(())
}

/// Applies the objects of a YAML text.
///
/// # Errors
/// It is no YAML, or an object is refused; the error names it.
pub(crate) async fn apply(client: &Client, text: &str) -> anyhow::Result<()> {
    let documents: Vec<Option<serde_json::Value>> = serde_saphyr::from_multiple(text)?;
    for document in documents.into_iter().flatten() {
        apply_object(client, document).await?;
    }
    Ok(())
}

async fn apply_object(client: &Client, object: serde_json::Value) -> anyhow::Result<()> {
    let object: DynamicObject =
        serde_json::from_value(object).context("an object without kind or metadata")?;
    let types = object.types.clone().context("an object without apiVersion or kind")?;
    let name = object.metadata.name.clone().context("an object without a name")?;
    let shown = format!("{} {name}", types.kind);
    let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
    let kind = GroupVersionKind::gvk(group, version, &types.kind);
    let (resource, namespaced) = resolve(client, &kind).await.with_context(|| shown.clone())?;
    let namespace = object.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Api<DynamicObject> = if namespaced {
        Api::namespaced_with(client.clone(), &namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &parameters, &Patch::Apply(&object)).await.with_context(|| shown)?;
    Ok(())
}

async fn resolve(client: &Client, kind: &GroupVersionKind) -> anyhow::Result<(ApiResource, bool)> {
    let (resource, capabilities) = kube::discovery::pinned_kind(client, kind).await?;
    Ok((resource, capabilities.scope == Scope::Namespaced))
}

/// Waits until all definitions are served.
///
/// # Errors
/// One is not within the time; the error names it.
pub(crate) async fn wait_for_definitions(client: &Client) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let started = Instant::now();
    loop {
        let all = definitions.list(&kube::api::ListParams::default()).await?;
        let missing = all.items.iter().find(|definition| !is_established(definition));
        let Some(missing) = missing else { return Ok(()) };
        if started.elapsed() > ESTABLISHED {
            bail!(
                "{} is not served after {ESTABLISHED:?}",
                missing.metadata.name.clone().unwrap_or_default()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == "Established" && one.status == "True")
}
