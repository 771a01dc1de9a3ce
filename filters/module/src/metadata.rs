//! Metadata, whose values Envoy shows only to who asks for the right type.
//!
//! Strings are copied: those of a host's metadata last only until the next question, which may be asked through `&self`.

use ferrule_abi::{EnvoyBuffer, MetadataSource as Source, ModuleBuffer};
use ferrule_kit::{MetadataSource, Value};

use crate::host::NativeHost;
use crate::structure;

/// One key of metadata.
struct Key<'a> {
    host: &'a NativeHost<'a>,
    source: Source,
    namespace: ModuleBuffer,
    key: ModuleBuffer,
}

/// The value under `key`; `None` where there is none, or one that is neither text, number, truth value nor list.
pub(crate) fn read(
    host: &NativeHost<'_>,
    source: MetadataSource,
    namespace: &str,
    key: &str,
) -> Option<Value<'static>> {
    let source = match source {
        MetadataSource::Dynamic => Source::Dynamic,
        MetadataSource::Route => Source::Route,
        MetadataSource::Cluster => Source::Cluster,
        MetadataSource::Host => Source::Host,
    };
    let key = Key { host, source, namespace: namespace.into(), key: key.into() };
    key.list().or_else(|| key.scalar())
}

/// Sets `key` of the stream's dynamic metadata.
pub(crate) fn write(host: &mut NativeHost<'_>, namespace: &str, key: &str, value: &Value<'_>) {
    let (envoy, filter) = (host.envoy, host.filter);
    let (space, name) = (ModuleBuffer::from(namespace), ModuleBuffer::from(key));
    // SAFETY: the filter is alive; all buffers outlive the calls.
    unsafe {
        match value {
            Value::Text(text) => {
                (envoy.http_set_dynamic_metadata_string)(filter, space, name, (&**text).into());
            }
            #[allow(clippy::cast_precision_loss, reason = "metadata has no other numbers")]
            Value::Int(number) => {
                (envoy.http_set_dynamic_metadata_number)(filter, space, name, *number as f64)
            }
            Value::Number(number) => (envoy.http_set_dynamic_metadata_number)(filter, space, name, *number),
            Value::Bool(truth) => (envoy.http_set_dynamic_metadata_bool)(filter, space, name, *truth),
            // Envoy's own way to set a list is to append to the one that is there, and nothing can take that away.
            value @ (Value::List(_) | Value::Map(_) | Value::Null) => {
                let fields = structure::with(key, value);
                (envoy.http_set_dynamic_metadata_struct)(filter, space, fields.as_slice().into());
            }
        }
    }
}

impl Key<'_> {
    fn scalar(&self) -> Option<Value<'static>> {
        let (envoy, filter) = (self.host.envoy, self.host.filter);
        let (source, namespace, key) = (self.source, self.namespace, self.key);
        let (mut text, mut number, mut truth) = (EnvoyBuffer::EMPTY, 0.0, false);
        // SAFETY: the filter is alive, the buffers outlive the calls, the out-parameters are ours, and a text is copied
        // before Envoy is asked again.
        unsafe {
            if (envoy.http_get_metadata_string)(filter, source, namespace, key, &raw mut text) {
                return Some(owned(text));
            }
            if (envoy.http_get_metadata_number)(filter, source, namespace, key, &raw mut number) {
                return Some(Value::Number(number));
            }
            (envoy.http_get_metadata_bool)(filter, source, namespace, key, &raw mut truth)
                .then_some(Value::Bool(truth))
        }
    }

    fn list(&self) -> Option<Value<'static>> {
        let mut size = 0;
        // SAFETY: the filter is alive, the buffers outlive the call, and the out-parameter is ours.
        let is_list = unsafe {
            (self.host.envoy.http_get_metadata_list_size)(
                self.host.filter,
                self.source,
                self.namespace,
                self.key,
                &raw mut size,
            )
        };
        is_list.then(|| Value::List((0..size).filter_map(|index| self.item(index)).collect()))
    }

    fn item(&self, index: usize) -> Option<Value<'static>> {
        let (envoy, filter) = (self.host.envoy, self.host.filter);
        let (source, namespace, key) = (self.source, self.namespace, self.key);
        let (mut text, mut number, mut truth) = (EnvoyBuffer::EMPTY, 0.0, false);
        // SAFETY: as in `scalar`.
        unsafe {
            if (envoy.http_get_metadata_list_string)(filter, source, namespace, key, index, &raw mut text) {
                return Some(owned(text));
            }
            if (envoy.http_get_metadata_list_number)(filter, source, namespace, key, index, &raw mut number) {
                return Some(Value::Number(number));
            }
            (envoy.http_get_metadata_list_bool)(filter, source, namespace, key, index, &raw mut truth)
                .then_some(Value::Bool(truth))
        }
    }
}

/// # Safety
/// `text` came from Envoy and is still lent.
unsafe fn owned(text: EnvoyBuffer) -> Value<'static> {
    // SAFETY: the caller vouches for the loan.
    Value::Text(unsafe { text.bytes() }.to_vec().into())
}
