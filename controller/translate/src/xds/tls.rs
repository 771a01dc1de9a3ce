//! How clients' TLS ends -> Envoy's `DownstreamTlsContext`.

use envoy_types::pb::envoy::config::core::v3::TransportSocket;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::ValidationContextType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, TlsParameters,
};
use envoy_types::pb::google::protobuf::BoolValue;

use super::any;
use super::config_source::ads;
use crate::gateways::tls::{ClientValidation, Options, Termination, Version};

/// Ends TLS with certificates that come by SDS. `alpn` is what clients are offered unless the options say otherwise.
pub(crate) fn downstream(termination: &Termination, alpn: &[&str]) -> TransportSocket {
    let Termination { certificates, options, clients } = termination;
    let names = certificates.iter().map(|(namespace, name)| format!("{namespace}/{name}"));
    let offered = || alpn.iter().map(|protocol| (*protocol).to_owned()).collect();
    let authorities = |clients: &ClientValidation| {
        ValidationContextType::ValidationContextSdsSecretConfig(by_sds(&clients.name))
    };
    let common = CommonTlsContext {
        tls_params: parameters(options),
        tls_certificate_sds_secret_configs: names.map(|name| by_sds(&name)).collect(),
        alpn_protocols: options.alpn_protocols.clone().unwrap_or_else(offered),
        validation_context_type: clients.as_deref().map(authorities),
        ..CommonTlsContext::default()
    };
    let is_required = |clients: &ClientValidation| BoolValue { value: !clients.insecure };
    let context = DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: clients.as_deref().map(is_required),
        ..DownstreamTlsContext::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&context))),
    }
}

/// What comes by SDS under that name.
pub(super) fn by_sds(name: &str) -> SdsSecretConfig {
    SdsSecretConfig { name: name.to_owned(), sds_config: Some(ads()) }
}

/// What is negotiated; `None` for Envoy's defaults.
pub(super) fn parameters(options: &Options) -> Option<TlsParameters> {
    let version = |version: Option<Version>| match version {
        None => TlsProtocol::TlsAuto,
        Some(Version::Tls10) => TlsProtocol::TlSv10,
        Some(Version::Tls11) => TlsProtocol::TlSv11,
        Some(Version::Tls12) => TlsProtocol::TlSv12,
        Some(Version::Tls13) => TlsProtocol::TlSv13,
    };
    let parameters = TlsParameters {
        tls_minimum_protocol_version: version(options.min_version).into(),
        tls_maximum_protocol_version: version(options.max_version).into(),
        cipher_suites: options.cipher_suites.clone(),
        ecdh_curves: options.ecdh_curves.clone(),
        ..TlsParameters::default()
    };
    (parameters != TlsParameters::default()).then_some(parameters)
}
