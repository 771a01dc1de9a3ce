//! Who signs, and how that stands.

use std::sync::Arc;

use serde_json::json;

use super::Fault;
use crate::api::backend::AwsAuth;
use crate::api::meta::Condition;
use crate::api::secret::Secret;
use crate::credentials::{Identity, SecretText};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// Keys of a Secret with credentials (kgateway, `AwsAuth.secretRef`); the last one may be missing.
const SECRET_FIELDS: [&str; 3] = ["accessKey", "secretKey", "sessionToken"];

/// Who signs for an object of that namespace, whose field `at` says so.
///
/// # Errors
/// Quotes no secret.
pub(super) fn of(
    world: &World,
    namespace: &Arc<str>,
    (at, auth): (&str, Option<&AwsAuth>),
    region: &str,
) -> Result<Identity, Fault> {
    let Some(auth) = auth else { return Ok(Identity::Own) };
    let wrong = |field: &str, why: &str| Err(Fault::new(format!("{at}.{field}"), why));
    match (auth.kind.as_str(), &auth.secret_ref, &auth.assume_role) {
        ("Secret", Some(named), None) => {
            let key: Key = (Arc::clone(namespace), named.name.as_str().into());
            let to = ObjectRef::at("", "Secret", &key);
            let found = world.secrets.get(&key).ok_or_else(|| "does not exist".to_owned());
            match found.and_then(|secret| read(secret)) {
                Ok(_) => Ok(Identity::Secret(key)),
                Err(why) => wrong("secretRef", &format!("{to} {why}")),
            }
        }
        ("AssumeRole", None, Some(role)) if is_role(&role.role_arn) => {
            Ok(Identity::Role { arn: role.role_arn.as_str().into(), region: region.into() })
        }
        ("AssumeRole", None, Some(_)) => {
            wrong("assumeRole.roleArn", "is no ARN of a role, such as arn:aws:iam::123456789012:role/caller")
        }
        ("Secret" | "AssumeRole", ..) => wrong("type", "needs the field of its type and no other"),
        _ => wrong("type", "must be Secret or AssumeRole"),
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`, as the kind's pattern has it.
fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (scheme, partition, service, region, account, role) =
        (next(), next(), next(), next(), next(), next());
    let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    scheme == "arn"
        && partition
            .strip_prefix("aws")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        && (service, region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && role.strip_prefix("role/").is_some_and(|name| !name.is_empty() && is_name(name))
        && arn.len() <= 2048
}

/// A Secret's credentials, as the filters read them.
fn read(secret: &Secret) -> Result<SecretText, String> {
    let field = |name: &str| secret.value(name).map(String::from_utf8_lossy);
    let [access, key, token] = SECRET_FIELDS.map(field);
    let [Some(access), Some(key)] = [access, key] else {
        return Err(format!("needs the keys {} and {}", SECRET_FIELDS[0], SECRET_FIELDS[1]));
    };
    ferrule_aws::Credentials::new(&access, &key, token.as_deref()).map_err(|error| error.to_string())?;
    let text = json!({SECRET_FIELDS[0]: access, SECRET_FIELDS[1]: key, SECRET_FIELDS[2]: token});
    Ok(SecretText::new(text.to_string().into_bytes()))
}

impl World {
    /// The credentials of someone, as the filters read them, if there are any.
    pub fn credentials_of(&self, identity: &Identity) -> Option<SecretText> {
        match identity {
            Identity::Secret(key) => self.secrets.get(key).and_then(|secret| read(secret).ok()),
            fetched => self.credentials.get(fetched)?.credentials.clone(),
        }
    }
}

/// How someone's credentials stand: the condition `CredentialsReady`.
pub(crate) fn health(world: &World, identity: &Identity, generation: i64) -> Condition {
    let issue = world.credentials.get(identity);
    let (status, reason, message) =
        match (identity, issue.map(|issue| (&**issue, issue.credentials.is_some()))) {
            (Identity::Secret(key), _) => {
                ("True", "Static", format!("those of {}", ObjectRef::at("", "Secret", key)))
            }
            (_, None) => ("Unknown", "Pending", "they have not been fetched yet".to_owned()),
            (_, Some((issue, true))) => {
                let until = issue.expires.as_ref().map(|time| format!(", until {time}")).unwrap_or_default();
                let of = format!("by {}{until}", issue.source);
                match &issue.error {
                    None => ("True", "Fetched", of),
                    Some(error) => (
                        "True",
                        "RefreshFailing",
                        format!("{of}; the last attempt to renew them failed: {error}"),
                    ),
                }
            }
            (_, Some((issue, false))) => {
                let why = issue.error.clone().unwrap_or_else(|| "they have expired".to_owned());
                ("False", "FetchFailed", why)
            }
        };
    Condition {
        kind: "CredentialsReady".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: None,
    }
}

/// What such a condition means to whom it is about: what nobody can sign is refused, which is not what was wanted.
pub(crate) fn unready(on: &ObjectRef, field: &str, health: &Condition) -> Option<Problem> {
    let reason = match health.status.as_str() {
        "True" => return None,
        "Unknown" => Reason::CredentialsPending,
        _ => Reason::CredentialsNotReady,
    };
    Some(Problem::new(on, field, reason, &health.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_from_other_arns() {
        for good in ["arn:aws:iam::123456789012:role/a", "arn:aws-us-gov:iam::123456789012:role/path/a+b"] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "role/a",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::1234:role/a",
            "arn:aws:iam::123456789012:user/a",
            "arn:gcp:iam::123456789012:role/a",
            "arn:aws:iam:us-east-1:123456789012:role/a",
            "arn:aws:iam::123456789012:role/a b",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
