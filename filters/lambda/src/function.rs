//! The function that a request calls, and its place in the Lambda API.
//!
//! Invariant: paths are encoded when the configuration is compiled. A request chooses, it makes no path.

use std::collections::BTreeMap;

use ferrule_aws::{
    canonical_path, canonical_query, encode, is_authority, is_scope_name, lambda_region, partition,
};
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
        if config.account_id.as_deref().is_some_and(|id| !is_account(id)) {
            return Err(ConfigError::new("accountId", "must be twelve digits"));
        }
        let names = listed(config, template.is_some())?;
        let query = query(config)?;
        let known = names.iter().enumerate().map(|(at, name)| {
            let field =
                || if template.is_some() { format!("functions[{at}]") } else { "functionName".to_owned() };
            check(name, &config.region).map_err(|reason| ConfigError::new(field(), reason))?;
            Ok(function(config, name, &query))
        });
        let known = known.collect::<Result<Vec<_>, ConfigError>>()?;
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

/// The names of all functions that may be called.
fn listed(config: &Config, is_template: bool) -> Result<&[String], ConfigError> {
    let wrong = |reason| Err(ConfigError::new("functions", reason));
    match (is_template, config.functions.as_slice()) {
        (false, []) => Ok(std::slice::from_ref(&config.function_name)),
        (false, _) => wrong("is of use only where functionName is a template"),
        (true, []) => wrong("must list the functions that the template may choose"),
        (true, names) => Ok(names),
    }
}

/// A name, or an ARN that may begin at the account (Lambda API reference, Invoke, `FunctionName`).
fn check(name: &str, region: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'$' | b'.');
    match name.bytes().all(plain) {
        true if name.is_empty() => Err("is empty"),
        true if name.len() > MAX_NAME => Err("is longer than 170 bytes"),
        true if name.starts_with("arn:") => check_arn(name, region),
        true => Ok(()),
        false => Err("has a character other than letters, digits, - _ : $ ."),
    }
}

/// A signature holds for one region, in which an ARN must be.
fn check_arn(arn: &str, region: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, in_partition, "lambda", in_region, account, "function", _, ..] = parts.as_slice() else {
        return Err("is no ARN of a function");
    };
    match () {
        () if *in_region != region => Err("is an ARN of a region other than `region`"),
        () if *in_partition != partition(region).0 => Err("is an ARN of a partition that `region` is not in"),
        () if !is_account(account) => Err("is an ARN whose account is not twelve digits"),
        () => Ok(()),
    }
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
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
            let (partition, _) = partition(&config.region);
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

/// Authority of the API: the endpoint's, or the region's own.
///
/// # Errors
/// Says what is wrong with the endpoint or region.
pub fn authority(config: &Config) -> Result<String, ConfigError> {
    if !is_scope_name(&config.region) {
        return Err(ConfigError::new("region", "is no region: lower-case letters, digits and hyphens"));
    }
    let Some(url) = &config.endpoint_url else {
        return Ok(format!("lambda.{}.{}", config.region, partition(&config.region).1));
    };
    let wrong = |reason| Err(ConfigError::new("endpointURL", reason));
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase());
    match authority.filter(|authority| is_authority(authority)) {
        None => wrong("must be http:// or https://, a host and maybe a port"),
        Some(host) if lambda_region(&host).is_some_and(|region| region != config.region) => {
            wrong("is that of a region other than `region`")
        }
        Some(host) => Ok(host),
    }
}
