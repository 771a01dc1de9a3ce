//! A container's environment and command line, with what they refer to.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Container, EnvVarSource};

use super::content;
use super::images::Image;
use super::worker::Worker;
use crate::process::SYSTEM_PATH;

type Variables = Vec<(String, String)>;

/// The environment of `container`.
///
/// # Errors
/// It refers to what is not there.
pub(super) async fn of(worker: &Worker, container: &Container, image: &Image) -> anyhow::Result<Variables> {
    let mut variables = base(worker, image);
    for source in container.env_from.as_deref().unwrap_or_default() {
        let prefix = source.prefix.clone().unwrap_or_default();
        for (name, value) in content::of_source(worker, source).await? {
            set(&mut variables, format!("{prefix}{name}"), value);
        }
    }
    for variable in container.env.as_deref().unwrap_or_default() {
        let value = match &variable.value_from {
            Some(source) => from_source(worker, container, source)
                .await
                .with_context(|| format!("the variable {}", variable.name))?,
            None => Some(expand(variable.value.as_deref().unwrap_or_default(), &variables)),
        };
        if let Some(value) = value {
            set(&mut variables, variable.name.clone(), value);
        }
    }
    Ok(variables)
}

fn base(worker: &Worker, image: &Image) -> Variables {
    let kubernetes = worker.machine.plan.kubernetes_service().to_string();
    let pairs = [
        ("PATH", SYSTEM_PATH.to_owned()),
        ("HOSTNAME", worker.name.clone()),
        ("HOME", "/".to_owned()),
        ("KUBERNETES_SERVICE_HOST", kubernetes),
        ("KUBERNETES_SERVICE_PORT", "443".to_owned()),
    ];
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
    pairs.chain(image.environment.iter().cloned()).collect()
}

fn set(variables: &mut Variables, name: String, value: String) {
    match variables.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name, value)),
    }
}

async fn from_source(
    worker: &Worker,
    container: &Container,
    source: &EnvVarSource,
) -> anyhow::Result<Option<String>> {
    if let Some(field) = &source.field_ref {
        return content::field(worker, &field.field_path).map(Some);
    }
    if let Some(resource) = &source.resource_field_ref {
        return Ok(Some(content::resource(container, &resource.resource)));
    }
    let (data, key, optional) = if let Some(key) = &source.config_map_key_ref {
        (content::config_map(worker, &key.name).await?, &key.key, key.optional)
    } else if let Some(key) = &source.secret_key_ref {
        (content::secret(worker, &key.name).await?, &key.key, key.optional)
    } else {
        bail!("its source is none that is known here");
    };
    match data.as_ref().and_then(|data: &BTreeMap<String, Vec<u8>>| data.get(key)) {
        Some(value) => Ok(Some(String::from_utf8(value.clone()).context("its value is not UTF-8")?)),
        None if optional == Some(true) => Ok(None),
        None => bail!("the key {key} that it refers to is not there"),
    }
}

/// The command line: the image's where the container names none.
///
/// # Errors
/// Neither names a program.
pub(super) fn command(
    container: &Container,
    image: &Image,
    variables: &[(String, String)],
) -> anyhow::Result<Vec<String>> {
    let given = container.command.clone().filter(|command| !command.is_empty());
    let arguments = container.args.clone().unwrap_or_default();
    let whole: Vec<String> =
        given.unwrap_or_else(|| image.entrypoint.clone()).into_iter().chain(arguments).collect();
    if whole.is_empty() {
        bail!("neither the container nor its image names a command");
    }
    Ok(whole.iter().map(|part| expand(part, variables)).collect())
}

/// `$(NAME)` becomes the variable's value, `$$` a dollar; what names no variable stays as it is.
fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        whole.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            whole.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let known = name.and_then(|(name, after)| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| (value, after))
        });
        match known {
            Some((value, after)) => {
                whole.push_str(value);
                rest = after;
            }
            None => whole.push('$'),
        }
    }
    whole + rest
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn references_to_variables_are_expanded_once() {
        let variables = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        let expanded = |text| expand(text, &variables);
        assert_eq!(expanded("x$(A)y"), "x1y");
        assert_eq!(expanded("$(B)"), "$(A)");
        assert_eq!(expanded("$$(A) $(C) $( $"), "$(A) $(C) $( $");
    }
}
