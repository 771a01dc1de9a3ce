//! Orders of the controller, put into the configuration of the cache filter that a proxy has discovered already.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::dynamic_modules::v3::DynamicModuleFilter;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::PluginConfig;
use envoy_types::pb::google::protobuf::{Any, StringValue};
use ferrule_cache::Cache;
use ferrule_kit::Filter;
use prost::{Message, Name};
use serde_json::{Value, json};

use super::any;
use super::filter::configuration;
use crate::translation::Resource;

/// Name of the configuration of a plugin that is no route's.
const OF_NO_ROUTE: &str = "orders";

/// Where a cache filter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheHost {
    /// In the dynamic module, which reports what came of orders.
    Native,
    /// In wasm modules, which do not.
    Wasm,
}

impl CacheHost {
    /// That of the cache filter that an ExtensionConfig of this name configures; none where it configures another filter.
    pub fn of(extension_config: &str) -> Option<Self> {
        match extension_config.strip_prefix("ferrule.")?.strip_prefix(Cache::NAME)? {
            "" => Some(Self::Native),
            port if port.starts_with('.') => Some(Self::Wasm),
            _ => None,
        }
    }
}

/// The cache filter's ExtensionConfig with these orders in it (`ferrule_cache::Orders`); none where it is not what this crate makes.
pub fn with_orders(resource: &Resource, orders: &Value) -> Option<Resource> {
    let mut extension = TypedExtensionConfig::decode(&*resource.body).ok()?;
    let typed = extension.typed_config.as_ref()?;
    let typed = if typed.type_url == DynamicModuleFilter::type_url() {
        let mut filter = DynamicModuleFilter::decode(&*typed.value).ok()?;
        filter.filter_config = Some(edited(filter.filter_config.as_ref()?, |config| {
            config["orders"] = orders.clone();
        })?);
        any(&filter)
    } else {
        any(&Wasm { config: Some(plugin(Wasm::decode(&*typed.value).ok()?.config?, orders)?) })
    };
    extension.typed_config = Some(typed);
    Some(Resource::of_bytes(resource.name.clone(), extension.encode_to_vec().into()))
}

/// A plugin has configurations by route; orders are in one of their own.
fn plugin(plugin: PluginConfig, orders: &Value) -> Option<PluginConfig> {
    let configuration = edited(plugin.configuration.as_ref()?, |config| {
        config["configs"][OF_NO_ROUTE] = json!({"disable": {}, "orders": orders});
    })?;
    Some(PluginConfig { configuration: Some(configuration), ..plugin })
}

/// JSON in a `StringValue`, edited.
fn edited(config: &Any, edit: impl FnOnce(&mut Value)) -> Option<Any> {
    let text = StringValue::decode(&*config.value).ok()?.value;
    let mut json: Value = serde_json::from_str(&text).ok().filter(Value::is_object)?;
    edit(&mut json);
    Some(configuration(json.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::filter::{PluginRoutes, native};

    fn resource(extension: &TypedExtensionConfig) -> Resource {
        Resource::of_bytes(extension.name.as_str().into(), extension.encode_to_vec().into())
    }

    fn text(resource: &Resource) -> String {
        String::from_utf8_lossy(&resource.body).into_owned()
    }

    #[test]
    fn orders_stand_in_the_filters_own_configuration_on_either_host() {
        let orders = json!({"list": []});
        let native = resource(&native("ferrule", "cache", &json!({"disable": {}})));
        assert_eq!(CacheHost::of(&native.name), Some(CacheHost::Native));
        let ordered = with_orders(&native, &orders).unwrap();
        assert!(text(&ordered).contains(r#"{"disable":{},"orders":{"list":[]}}"#), "{}", text(&ordered));
        assert_ne!(ordered.version, native.version);
        let wasm = resource(&PluginRoutes::default().plugin("/wasm", "cache", 80));
        assert_eq!(CacheHost::of(&wasm.name), Some(CacheHost::Wasm));
        let ordered = text(&with_orders(&wasm, &orders).unwrap());
        assert!(ordered.contains(r#""orders":{"disable":{},"orders":{"list":[]}}"#), "{ordered}");
    }

    #[test]
    fn other_filters_get_none() {
        let other = resource(&native("ferrule", "cachet", &json!({})));
        assert_eq!(CacheHost::of(&other.name), None);
        let garbage = Resource::of_bytes("ferrule.cache".into(), (&b"\xff"[..]).into());
        assert!(with_orders(&garbage, &json!({})).is_none());
    }
}
