//! From what a file says to an object of the translator: its key, its generation, what is wrong with it.

use ferrule_schema::{Schemas, Violation};
use ferrule_translate::api::meta::{FERRULE_GROUP, GATEWAY_GROUP, KGATEWAY_GROUP};
use ferrule_translate::{KINDS, Kind, Object, ObjectRef, ParseError, Parsed};
use serde_json::{Value, json};

use crate::manifest::Identity;

/// A field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Which object it is; `None` if its kind is not served.
///
/// # Errors
/// Its name is no name, or its kind or version is mistyped.
pub(crate) fn key(identity: &Identity) -> Result<Option<ObjectRef>, Wrong> {
    for (path, text) in [("metadata.name", &identity.name), ("metadata.namespace", &identity.namespace)] {
        if !is_name(&identity.kind, text) {
            let message = format!(
                "{text:?} is no name: lower-case letters, digits, '-' and '.' only, at most 253 of them"
            );
            return Err(Wrong { path: path.to_owned(), message });
        }
    }
    check_kind(identity)?;
    let mut metadata = json!({"name": identity.name});
    if !identity.namespace.is_empty() {
        metadata["namespace"] = identity.namespace.as_str().into();
    }
    // The parser knows which kinds have a namespace; a bare object tells, whether or not it lacks something else.
    let bare = json!({"apiVersion": identity.api_version, "kind": identity.kind, "metadata": metadata});
    match Object::parse(bare) {
        Ok(Parsed::Object { object, .. }) => Ok(Some(object.reference())),
        Ok(Parsed::Ignored(_)) => Ok(None),
        Err(ParseError { object: Some(object), .. }) => Ok(Some(object)),
        Err(ParseError { path, reason, .. }) => Err(Wrong { path, message: reason }),
    }
}

/// Whether an object is meant for a gateway, rather than for others that read the same folder.
pub(crate) fn is_for_gateways(identity: &Identity) -> bool {
    [GATEWAY_GROUP, KGATEWAY_GROUP, FERRULE_GROUP].contains(&group_and_version(identity).0)
}

/// Group and version; core's group is the empty one.
fn group_and_version(identity: &Identity) -> (&str, &str) {
    identity.api_version.split_once('/').unwrap_or(("", &identity.api_version))
}

/// Refuses what is almost a kind of [`KINDS`].
fn check_kind(identity: &Identity) -> Result<(), Wrong> {
    let (group, version) = group_and_version(identity);
    let written = identity.kind.to_lowercase();
    let means = |known: &Kind| {
        let name = known.name.to_lowercase();
        written == name || written == known.plural || written == format!("{name}s")
    };
    // An apiVersion without a version reads as a version of core.
    let is_bare = |named: &str| group.is_empty() && version == named;
    let Some(Kind { group, name: kind, versions, .. }) =
        KINDS.iter().find(|known| (known.group == group || is_bare(known.group)) && means(known))
    else {
        return Ok(());
    };
    let wrong = |path: &str, message| Err(Wrong { path: path.to_owned(), message });
    if identity.kind != *kind {
        return wrong("kind", format!("there is no kind {}; is {kind} meant?", identity.kind));
    }
    if !versions.contains(&version) {
        let slash = if group.is_empty() { "" } else { "/" };
        let known: Vec<String> = versions.iter().map(|version| format!("{group}{slash}{version}")).collect();
        let known = known.join(" or ");
        return wrong("apiVersion", format!("{kind} is of {known}, not of {}", identity.api_version));
    }
    Ok(())
}

/// A DNS subdomain name (RFC 1123), which names of all kinds are but those of a signer's bundles: these begin with the
/// signer's name, colons in the place of slashes. The empty one is checked elsewhere.
fn is_name(kind: &str, name: &str) -> bool {
    match name.split_once(':') {
        Some(_) if kind == "ClusterTrustBundle" => name.split(':').all(is_subdomain),
        _ => name.is_empty() || is_subdomain(name),
    }
}

fn is_subdomain(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Reads an object that no API server has looked at, as strictly as one that takes it for the first time, and with the
/// defaults that it would put in.
///
/// # Errors
/// What is wrong with its fields. What its schema says is said once: the parser is asked only where the schema is content.
pub(crate) fn admit(value: Value, generation: i64) -> Result<Object, Vec<Wrong>> {
    match Schemas::builtin().admit(&value) {
        None => parse(value, generation),
        Some(Ok(admitted)) => parse(admitted, generation),
        Some(Err(violations)) => {
            let wrong = |Violation { path, message, .. }| Wrong { path, message };
            Err(violations.into_iter().map(wrong).collect())
        }
    }
}

/// Reads an object strictly.
///
/// # Errors
/// What is wrong with its fields.
pub(crate) fn parse(value: Value, generation: i64) -> Result<Object, Vec<Wrong>> {
    let (object, unknown_fields) = read(value, generation)?;
    if unknown_fields.is_empty() { Ok(object) } else { Err(unknown_fields) }
}

/// Reads an object; what nobody here knows of its fields is told beside it.
///
/// # Errors
/// What is wrong with its fields.
pub(crate) fn read(mut value: Value, generation: i64) -> Result<(Object, Vec<Wrong>), Vec<Wrong>> {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("generation".to_owned(), generation.into());
    }
    // The status in a file is that of some other time and place.
    if let Value::Object(fields) = &mut value {
        fields.shift_remove("status");
    }
    match Object::parse(value) {
        Ok(Parsed::Object { object, unknown_fields }) => {
            Ok((object, unknown_fields.into_iter().map(unknown).collect()))
        }
        Ok(Parsed::Ignored(object)) => {
            Err(vec![Wrong { path: String::new(), message: format!("{object} is not served") }])
        }
        Err(ParseError { path, reason, .. }) => Err(vec![Wrong { path: plain(&path), message: reason }]),
    }
}

fn unknown(path: String) -> Wrong {
    let path = plain(&path);
    let name = path.rsplit('.').next().unwrap_or(&path).to_owned();
    Wrong { message: format!("unknown field `{name}`; is it misspelled or misplaced?"), path }
}

/// The paths of serde's helpers as Kubernetes writes them: `a.b[0].c`, without marks for optional fields.
fn plain(path: &str) -> String {
    let mut written = String::new();
    for part in path.split('.').filter(|part| !matches!(*part, "?" | "" | "~")) {
        match part.parse::<usize>() {
            Ok(index) => written.push_str(&format!("[{index}]")),
            Err(_) if written.is_empty() => written.push_str(part),
            Err(_) => {
                written.push('.');
                written.push_str(part);
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(kind: &str, name: &str) -> Identity {
        let api_version = "gateway.networking.k8s.io/v1".to_owned();
        Identity { api_version, kind: kind.to_owned(), namespace: String::new(), name: name.to_owned() }
    }

    #[test]
    fn a_key_has_a_namespace_where_its_kind_has_one() {
        assert_eq!(key(&identity("HTTPRoute", "a")).unwrap().unwrap().to_string(), "HTTPRoute default/a");
        assert_eq!(key(&identity("GatewayClass", "a")).unwrap().unwrap().to_string(), "GatewayClass a");
        assert_eq!(key(&identity("Deployment", "a")), Ok(None));
    }

    #[test]
    fn bundles_of_signers_alone_have_colons_in_their_names() {
        let named = |api_version: &str, kind: &str, name: &str| {
            let api_version = api_version.to_owned();
            key(&Identity { api_version, ..identity(kind, name) }).is_ok()
        };
        let bundle = |name: &str| named("certificates.k8s.io/v1beta1", "ClusterTrustBundle", name);
        assert!(bundle("plain") && bundle("example.com:signer:all"));
        assert!(!bundle("example.com::all") && !bundle(":all") && !bundle("Example:all"));
        assert!(!named("gateway.networking.k8s.io/v1", "HTTPRoute", "example.com:signer:all"));
    }

    #[test]
    fn a_mistyped_kind_or_version_is_told_from_a_kind_for_others() {
        let wrong = |api_version: &str, kind: &str| {
            let identity = Identity { api_version: api_version.to_owned(), ..identity(kind, "a") };
            key(&identity).err().map(|wrong| format!("{}: {}", wrong.path, wrong.message))
        };
        for Kind { group, name: kind, versions, .. } in KINDS {
            for version in *versions {
                let api_version =
                    if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
                let known = Identity { api_version, ..identity(kind, "a") };
                assert!(matches!(key(&known), Ok(Some(_))), "{known:?}");
            }
        }
        let gateway = "gateway.networking.k8s.io/v1";
        let told = wrong(gateway, "HttpRoute").unwrap();
        assert_eq!(told, "kind: there is no kind HttpRoute; is HTTPRoute meant?");
        assert!(wrong("gateway.kgateway.dev/v1alpha1", "TrafficPolicies").is_some());
        assert!(wrong(gateway, "GatewayClasses").is_some());
        let expected = "apiVersion: HTTPRoute is of gateway.networking.k8s.io/v1 or gateway.networking.k8s.io/v1beta1, not of ";
        for version in ["gateway.networking.k8s.io/v9", "gateway.networking.k8s.io"] {
            assert_eq!(wrong(version, "HTTPRoute").unwrap(), format!("{expected}{version}"));
        }
        for (group, kind) in [(gateway, "GRPCRoute"), ("networking.istio.io/v1", "Gateway"), ("v1", "Pod")] {
            assert_eq!(wrong(group, kind), None);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["A", "a b", "../a", "-a", "a-", "a..b", &"a".repeat(254)] {
            assert!(key(&identity("HTTPRoute", name)).is_err(), "{name}");
        }
    }

    #[test]
    fn unknown_fields_are_told_by_their_path() {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "a"},
            "spec": {"rules": [{"backendRefs": [{"name": "b", "prt": 80}]}], "hostnames": [], "parentRef": []},
        });
        let wrong = parse(route, 1).unwrap_err();
        let paths: Vec<&str> = wrong.iter().map(|wrong| wrong.path.as_str()).collect();
        assert_eq!(paths, ["spec.rules[0].backendRefs[0].prt", "spec.parentRef"]);
        assert!(wrong[0].message.starts_with("unknown field `prt`"));
    }

    #[test]
    fn a_wrong_type_is_told_by_its_path() {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "a"},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "l", "protocol": "HTTP", "port": "80"}]},
        });
        let wrong = parse(gateway, 1).unwrap_err();
        assert_eq!(wrong[0].path, "spec.listeners[0].port");
    }
}
