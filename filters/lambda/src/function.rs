//! The function that a request calls, and its place in the Lambda API.
//!
//! Invariant: paths are encoded when the configuration is compiled. A request chooses, it makes no path.

use std::collections::BTreeMap;

use ferrule_aws::{canonical_path, canonical_query, encode};
use ferrule_kit::{ConfigError, Host};

use crate::config::{Config, InvocationMode};
use crate::template::Template;

/// "Lambda quotas": the longest name, an ARN with qualifier.
const MAX_NAME: usize = 170;

/// A function as the API names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// As it was written.
    pub(crate) name: String,
    /// The request's target.
    pub(crate) target: String,
    /// The path in a canonical request.
    pub(crate) canonical: String,
}

/// How a request's function is found.
#[derive(Debug)]
pub(crate) struct Functions {
    /// The query in a canonical request.
    pub(crate) query: String,
    choice: Choice,
    known: Vec<Function>,
}

#[derive(Debug)]
enum Choice {
    Only,
    ByTemplate { template: Template, places: BTreeMap<String, usize> },
}

impl Functions {
    /// Compiles names and template.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    pub(crate) fn compile(config: &Config) -> Result<Self, ConfigError> {
        let template = Template::parse(&config.function_name)
            .map_err(|error| ConfigError::new("functionName", error.to_string()))?;
        let names = match (&template, config.functions.as_slice()) {
            (None, []) => std::slice::from_ref(&config.function_name),
            (None, _) => {
                return Err(ConfigError::new("functions", "is of use only where functionName is a template"));
            }
            (Some(_), []) => {
                return Err(ConfigError::new(
                    "functions",
                    "must list the functions that the template may choose",
                ));
            }
            (Some(_), names) => names,
        };
        let query = query(config)?;
        let field = |at: usize| {
            if template.is_some() { format!("functions[{at}]") } else { "functionName".to_owned() }
        };
        let compiled = names.iter().enumerate().map(|(at, name)| {
            check(name).map_err(|reason| ConfigError::new(field(at), reason))?;
            Ok(function(config, name, &query))
        });
        let known = compiled.collect::<Result<Vec<_>, _>>()?;
        let choice = template.map_or(Choice::Only, |template| {
            let places = names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
            Choice::ByTemplate { template, places }
        });
        Ok(Self { query: canonical_query(query.as_bytes()), choice, known })
    }

    /// Place of the function that a request calls; none if it may call none of that name.
    pub(crate) fn choose(&self, host: &dyn Host) -> Option<usize> {
        match &self.choice {
            Choice::Only => Some(0),
            Choice::ByTemplate { template, places } => places.get(&template.render(host)?).copied(),
        }
    }

    /// The function at that place.
    pub(crate) fn get(&self, place: usize) -> Option<&Function> {
        self.known.get(place)
    }
}

fn check(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'$' | b'.');
    match name.bytes().all(plain) {
        true if name.is_empty() => Err("is empty"),
        true if name.len() > MAX_NAME => Err("is longer than 170 bytes"),
        true => Ok(()),
        false => Err("has a character other than letters, digits, - _ : $ ."),
    }
}

fn query(config: &Config) -> Result<String, ConfigError> {
    let Some(qualifier) = config.qualifier.as_deref() else { return Ok(String::new()) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = qualifier.strip_prefix('$').unwrap_or(qualifier);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
        return Err(ConfigError::new("qualifier", "is no version and no alias"));
    }
    Ok(format!("Qualifier={}", encode(qualifier.as_bytes())))
}

fn function(config: &Config, name: &str, query: &str) -> Function {
    let full = match &config.account_id {
        Some(account) if !name.contains(':') => {
            let partition = partition(&config.region);
            format!("arn:{partition}:lambda:{}:{account}:function:{name}", config.region)
        }
        _ => name.to_owned(),
    };
    let encoded = encode(full.as_bytes());
    let path = match config.invocation_mode {
        InvocationMode::ResponseStream => {
            format!("/2021-11-15/functions/{encoded}/response-streaming-invocations")
        }
        _ => format!("/2015-03-31/functions/{encoded}/invocations"),
    };
    let canonical = canonical_path(path.as_bytes());
    let target = if query.is_empty() { path } else { format!("{path}?{query}") };
    Function { name: name.to_owned(), target, canonical }
}

/// Partitions by the beginnings of their regions' names.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("", "aws", "amazonaws.com"),
];

fn partition(region: &str) -> &'static str {
    PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix)).map_or("aws", |(_, name, _)| name)
}

/// Authority of the API: the endpoint's, or the region's own.
///
/// # Errors
/// Says what is wrong with the endpoint or region.
pub fn authority(config: &Config) -> Result<String, ConfigError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if config.region.is_empty() || config.region.len() > 63 || !config.region.bytes().all(plain) {
        return Err(ConfigError::new("region", "is no region: lower-case letters, digits and hyphens"));
    }
    let Some(url) = &config.endpoint_url else {
        let found = PARTITIONS.iter().find(|(prefix, ..)| config.region.starts_with(prefix));
        let suffix = found.map_or("amazonaws.com", |(.., suffix)| suffix);
        return Ok(format!("lambda.{}.{suffix}", config.region));
    };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest)).filter(|authority| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_%".contains(&byte);
        !authority.is_empty() && authority.bytes().all(plain)
    });
    authority.map(str::to_ascii_lowercase).ok_or_else(|| {
        ConfigError::new("endpointURL", "must be http:// or https://, a host and maybe a port")
    })
}
