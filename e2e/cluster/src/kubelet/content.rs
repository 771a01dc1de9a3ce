//! What containers refer to: fields of their pod, ConfigMaps, Secrets, trust bundles, tokens.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::certificates::v1beta1::ClusterTrustBundle;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvFromSource, Secret, ServiceAccount};
use kube::Api;
use kube::api::PostParams;

use super::NODE;
use super::worker::Worker;

/// A ConfigMap's or Secret's data.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// The data of a ConfigMap; `None` when there is none.
pub(super) async fn config_map(worker: &Worker, name: &str) -> anyhow::Result<Option<Data>> {
    let objects: Api<ConfigMap> = Api::namespaced(worker.machine.client.clone(), &worker.namespace);
    let object = objects.get_opt(name).await.with_context(|| format!("the ConfigMap {name}"))?;
    Ok(object.map(|object| {
        let text = object.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
        let bytes = object.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
        text.chain(bytes).collect()
    }))
}

/// The data of a Secret; `None` when there is none.
pub(super) async fn secret(worker: &Worker, name: &str) -> anyhow::Result<Option<Data>> {
    let objects: Api<Secret> = Api::namespaced(worker.machine.client.clone(), &worker.namespace);
    let object = objects.get_opt(name).await.with_context(|| format!("the Secret {name}"))?;
    Ok(object.map(|object| {
        object.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect()
    }))
}

/// All variables of an `envFrom` source.
pub(super) async fn of_source(
    worker: &Worker,
    source: &EnvFromSource,
) -> anyhow::Result<Vec<(String, String)>> {
    let (data, name, optional) = if let Some(source) = &source.config_map_ref {
        (config_map(worker, &source.name).await?, &source.name, source.optional)
    } else if let Some(source) = &source.secret_ref {
        (secret(worker, &source.name).await?, &source.name, source.optional)
    } else {
        bail!("a source of variables is none that is known here");
    };
    let Some(data) = data else {
        anyhow::ensure!(optional == Some(true), "{name}, a source of variables, is not there");
        return Ok(Vec::new());
    };
    let text = |(key, value)| Some((key, String::from_utf8(value).ok()?));
    Ok(data.into_iter().filter_map(text).collect())
}

/// A field of the pod, as the downward API names it.
pub(super) fn field(worker: &Worker, path: &str) -> anyhow::Result<String> {
    let metadata = &worker.pod.metadata;
    let entries = |entries: &Option<BTreeMap<String, String>>| {
        let lines = entries.iter().flatten().map(|(key, value)| format!("{key}={value:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let one = |entries: &Option<BTreeMap<String, String>>, rest: &str| {
        let key = rest.strip_prefix("['").and_then(|rest| rest.strip_suffix("']"));
        key.and_then(|key| entries.as_ref()?.get(key).cloned()).unwrap_or_default()
    };
    Ok(match path {
        "metadata.name" => worker.name.clone(),
        "metadata.namespace" => worker.namespace.clone(),
        "metadata.uid" => metadata.uid.clone().unwrap_or_default(),
        "metadata.labels" => entries(&metadata.labels),
        "metadata.annotations" => entries(&metadata.annotations),
        "spec.nodeName" => NODE.to_owned(),
        "spec.serviceAccountName" => service_account(worker).to_owned(),
        "status.hostIP" | "status.hostIPs" => worker.machine.plan.node().to_string(),
        "status.podIP" | "status.podIPs" => {
            worker.state.borrow().address.map(|address| address.to_string()).unwrap_or_default()
        }
        _ => match (path.strip_prefix("metadata.labels"), path.strip_prefix("metadata.annotations")) {
            (Some(rest), _) => one(&metadata.labels, rest),
            (_, Some(rest)) => one(&metadata.annotations, rest),
            _ => bail!("the field {path} is none of the downward API's"),
        },
    })
}

/// A container's limit or request; without one a generous machine's capacity, as the downward API has it.
pub(super) fn resource(container: &Container, name: &str) -> String {
    let resources = container.resources.as_ref();
    let (kind, name) = name.split_once('.').unwrap_or(("limits", name));
    let given = resources.and_then(|resources| match kind {
        "requests" => resources.requests.as_ref(),
        _ => resources.limits.as_ref(),
    });
    let given = given.and_then(|given| given.get(name));
    given.map_or_else(
        || if name == "cpu" { "2" } else { "8589934592" }.to_owned(),
        |quantity| quantity.0.clone(),
    )
}

fn service_account(worker: &Worker) -> &str {
    worker.spec().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default")
}

/// A token of the pod's ServiceAccount, valid for `seconds`.
pub(super) async fn token(worker: &Worker, audience: Option<&str>, seconds: i64) -> anyhow::Result<Vec<u8>> {
    let accounts: Api<ServiceAccount> = Api::namespaced(worker.machine.client.clone(), &worker.namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: Some(audience.map(ToOwned::to_owned).into_iter().collect()),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(worker.name.clone()),
                uid: worker.pod.metadata.uid.clone(),
            }),
            expiration_seconds: Some(seconds),
        }),
        ..TokenRequest::default()
    };
    let name = service_account(worker);
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
    let answer = answer.with_context(|| format!("a token of the ServiceAccount {name}"))?;
    let token = answer.status.and_then(|status| status.token);
    Ok(token.context("a token request without an answer")?.into_bytes())
}

/// The certificates of a ClusterTrustBundle.
pub(super) async fn trust_bundle(worker: &Worker, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let bundles: Api<ClusterTrustBundle> = Api::all(worker.machine.client.clone());
    let bundle = bundles.get_opt(name).await.with_context(|| format!("the ClusterTrustBundle {name}"))?;
    Ok(bundle.map(|bundle| bundle.spec.trust_bundle.into_bytes()))
}
