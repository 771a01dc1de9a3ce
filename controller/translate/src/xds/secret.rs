//! A value of a Kubernetes Secret -> `envoy.extensions.transport_sockets.tls.v3.Secret`.

use envoy_types::pb::envoy::config::core::v3::DataSource;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{GenericSecret, Secret};

/// The secret of that name.
pub(crate) fn lower(name: &str, value: &[u8]) -> Secret {
    let source =
        DataSource { specifier: Some(Specifier::InlineBytes(value.to_vec())), ..DataSource::default() };
    let generic = GenericSecret { secret: Some(source), ..GenericSecret::default() };
    Secret { name: name.to_owned(), r#type: Some(Type::GenericSecret(generic)) }
}
