//! The plugin's configuration: which of several compiled configurations of one filter a route gets.
//!
//! Envoy's wasm has no per-route configuration, so the plugin carries one for each route that needs its own and finds
//! it by the route's name.
//!
//! Invariant: each configuration is compiled once, however many routes share it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ferrule_kit::{ConfigError, Filter, compile};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Envoy's own default of `per_connection_buffer_limit_bytes`.
const DEFAULT_BUFFER_LIMIT: usize = 1024 * 1024;

/// As written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// For the routes that are not in `routes`; none lets their messages pass.
    #[serde(default)]
    default: Option<Box<RawValue>>,
    /// Configurations by an id that only this document knows.
    #[serde(default)]
    configs: BTreeMap<String, Box<RawValue>>,
    /// Id of a configuration by the name of an Envoy route.
    #[serde(default)]
    routes: BTreeMap<String, String>,
    /// Bytes of one message that a filter may hold. Envoy has a limit of its own, which it does not show to wasm.
    #[serde(default, rename = "bufferLimit")]
    buffer_limit: Option<usize>,
}

/// All configurations of one plugin, compiled.
#[derive(Debug)]
pub struct Plugin<F> {
    default: Option<Arc<F>>,
    routes: HashMap<Box<[u8]>, Arc<F>>,
    /// Every configuration, those among them that are no route's.
    all: Vec<Arc<F>>,
    buffer_limit: usize,
}

impl<F: Filter> Plugin<F> {
    /// Reads `{"default": <config>, "configs": {"<id>": <config>}, "routes": {"<route>": "<id>"}, "bufferLimit": <bytes>}`,
    /// every part of it optional; no bytes at all mean `{}`.
    ///
    /// # Errors
    /// Names the field, that of a configuration included, and says what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let written = read(if json.is_empty() { b"{}" } else { json })?;
        let default = written.default.map(|config| compiled("default", &config)).transpose()?;
        let configs = written.configs.iter().map(|(id, config)| {
            compiled(&format!("configs.{id}"), config).map(|filter| (id.as_str(), filter))
        });
        let configs = configs.collect::<Result<HashMap<_, _>, _>>()?;
        let routes = written.routes.iter().map(|(route, id)| {
            let filter = configs.get(id.as_str()).ok_or_else(|| unknown(route, id))?;
            Ok((route.as_bytes().into(), Arc::clone(filter)))
        });
        let routes = routes.collect::<Result<_, _>>()?;
        let all = default.iter().chain(configs.values()).cloned().collect();
        Ok(Self { default, routes, all, buffer_limit: written.buffer_limit.unwrap_or(DEFAULT_BUFFER_LIMIT) })
    }

    /// The filter for a stream; `route` is asked for the route's name only where that matters.
    pub fn filter_for(&self, route: impl FnOnce() -> Vec<u8>) -> Option<Arc<F>> {
        let own = if self.routes.is_empty() { None } else { self.routes.get(route().as_slice()) };
        own.or(self.default.as_ref()).cloned()
    }

    /// Every configuration once, those among them that are no route's.
    pub fn filters(&self) -> impl Iterator<Item = &F> {
        self.all.iter().map(Arc::as_ref)
    }

    /// Bytes of one message that the filter may hold.
    pub fn buffer_limit(&self) -> usize {
        self.buffer_limit
    }
}

fn read(json: &[u8]) -> Result<Written, ConfigError> {
    let mut parser = serde_json::Deserializer::from_slice(json);
    let at_path = |error: serde_path_to_error::Error<serde_json::Error>| {
        let path = error.path().to_string();
        ConfigError::new(if path == "." { "" } else { &path }, error.inner().to_string())
    };
    let written = serde_path_to_error::deserialize(&mut parser).map_err(at_path)?;
    parser.end().map_err(|error| ConfigError::new("", error.to_string()))?;
    Ok(written)
}

fn compiled<F: Filter>(place: &str, config: &RawValue) -> Result<Arc<F>, ConfigError> {
    let below = |error: ConfigError| match error.field.as_str() {
        "" => ConfigError::new(place, error.reason),
        field => ConfigError::new(format!("{place}.{field}"), error.reason),
    };
    let filter = compile::<F>(config.get().as_bytes()).map_err(below)?;
    match filter.secrets().first() {
        Some(secret) => Err(unreadable(place, &secret.name)),
        None => Ok(Arc::new(filter)),
    }
}

fn unreadable(place: &str, secret: &str) -> ConfigError {
    let reason = format!("secrets come by SDS, which wasm modules cannot read: {secret:?}");
    ConfigError::new(place, reason)
}

fn unknown(route: &str, id: &str) -> ConfigError {
    ConfigError::new(format!("routes.{route}"), format!("no configuration {id:?} in `configs`"))
}

#[cfg(test)]
mod tests {
    use ferrule_kit::SecretSource;

    use super::*;

    struct Named(String, Option<String>);

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Name {
        name: String,
        secret: Option<String>,
    }

    impl Filter for Named {
        const NAME: &'static str = "named";
        type Config = Name;
        type Stream = ();

        fn compile(config: Name) -> Result<Self, ConfigError> {
            match config.name.as_str() {
                "" => Err(ConfigError::new("name", "is empty")),
                _ => Ok(Self(config.name, config.secret)),
            }
        }

        fn secrets(&self) -> Vec<SecretSource> {
            let source = |name: &String| SecretSource { name: name.clone(), config_source: None };
            self.1.iter().map(source).collect()
        }
    }

    fn parse(json: &str) -> Result<Plugin<Named>, String> {
        Plugin::parse(json.as_bytes()).map_err(|error| error.to_string())
    }

    fn named(plugin: &Plugin<Named>, route: &str) -> Option<String> {
        plugin.filter_for(|| route.into()).map(|filter| filter.0.clone())
    }

    const FULL: &str = r#"{"default": {"name": "d"}, "configs": {"a": {"name": "a"}, "b": {"name": "b"}},
        "routes": {"one": "a", "two": "b", "three": "a"}, "bufferLimit": 7}"#;

    #[test]
    fn a_route_gets_its_own_configuration_and_others_the_default() {
        let plugin = parse(FULL).unwrap();
        let names = ["one", "two", "three", "four", ""].map(|route| named(&plugin, route).unwrap());
        assert_eq!(names, ["a", "b", "a", "d", "d"]);
        assert_eq!(plugin.buffer_limit(), 7);
        let mut filters: Vec<_> = plugin.filters().map(|filter| filter.0.as_str()).collect();
        filters.sort_unstable();
        assert_eq!(filters, ["a", "b", "d"]);
    }

    #[test]
    fn routes_share_one_compiled_configuration() {
        let plugin = parse(FULL).unwrap();
        let [one, three] = ["one", "three"].map(|route| plugin.filter_for(|| route.into()).unwrap());
        assert!(Arc::ptr_eq(&one, &three));
    }

    #[test]
    fn without_a_default_other_routes_pass() {
        let plugin =
            parse(r#"{"default": null, "configs": {"a": {"name": "a"}}, "routes": {"one": "a"}}"#).unwrap();
        assert_eq!((named(&plugin, "one").as_deref(), named(&plugin, "two")), (Some("a"), None));
        assert!(parse("").unwrap().default.is_none());
    }

    #[test]
    fn a_default_alone_never_asks_for_the_route() {
        let plugin = parse(r#"{"default": {"name": "d"}}"#).unwrap();
        let filter = plugin.filter_for(|| panic!("asked"));
        assert_eq!(filter.unwrap().0, "d");
        assert_eq!(plugin.buffer_limit(), 1024 * 1024);
    }

    #[test]
    fn errors_name_id_and_field() {
        let cases = [
            (r#"{"configs": {"a": {"name": ""}}}"#, "configs.a.name: is empty"),
            (r#"{"configs": {"a": {}}}"#, "configs.a: missing field `name` at line 1 column 2"),
            (r#"{"default": {"name": 1}}"#, "default.name: invalid type: integer `1`, expected a string"),
            (r#"{"routes": {"one": "a"}}"#, "routes.one: no configuration \"a\" in `configs`"),
            (r#"{"name": "plain"}"#, "unknown field `name`, expected one of `default`, `configs`"),
            (r#"{"routes": {"one": 1}}"#, "routes.one: invalid type: integer `1`, expected a string"),
            (
                r#"{"configs": {"a": {"name": "a", "secret": "s"}}}"#,
                r#"configs.a: secrets come by SDS, which wasm modules cannot read: "s""#,
            ),
            ("{} {}", "trailing characters"),
            ("[", "EOF while parsing"),
        ];
        for (json, expected) in cases {
            let error = parse(json).map(|_| ()).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
