//! TLS towards backends -> Envoy's `UpstreamTlsContext`.

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::config::core::v3::{DataSource, TransportSocket};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, SubjectAltNameMatcher, UpstreamTlsContext,
};
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;

use super::any;
use super::tls::{by_sds, parameters};
use crate::backend_tls::{Subject, Tls, Trust};
use crate::gateways::tls::Options;

/// Where Debian's `ca-certificates` puts the system's authorities.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Speaks TLS; `client` is the SDS resource of the certificate that is shown to the backend.
pub(crate) fn lower(tls: &Tls, client: Option<&str>) -> TransportSocket {
    let common = CommonTlsContext {
        tls_params: parameters(&tls.options),
        alpn_protocols: tls.options.alpn_protocols.clone().unwrap_or_default(),
        tls_certificate_sds_secret_configs: client.map(by_sds).into_iter().collect(),
        validation_context_type: Some(validation(tls)),
        ..CommonTlsContext::default()
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(common),
        sni: tls.hostname.clone(),
        ..UpstreamTlsContext::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&context))),
    }
}

/// Speaks TLS with a host that the operating system's authorities vouch for.
pub(crate) fn of_host(host: &str) -> TransportSocket {
    let subjects = vec![Subject::Host(host.to_owned())];
    let (hostname, options) = (host.to_owned(), Options::default());
    lower(&Tls { hostname, subjects, trust: Trust::System, options }, None)
}

fn validation(tls: &Tls) -> ValidationContextType {
    let mut context = CertificateValidationContext {
        match_typed_subject_alt_names: tls.subjects.iter().map(subject).collect(),
        ..CertificateValidationContext::default()
    };
    match &tls.trust {
        Trust::System => {
            let file = Some(Specifier::Filename(SYSTEM.to_owned()));
            context.trusted_ca = Some(DataSource { specifier: file, ..DataSource::default() });
            ValidationContextType::ValidationContext(context)
        }
        Trust::Bundle(name) => {
            ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
                default_validation_context: Some(context),
                validation_context_sds_secret_config: Some(by_sds(name)),
                ..CombinedCertificateValidationContext::default()
            })
        }
    }
}

fn subject(subject: &Subject) -> SubjectAltNameMatcher {
    let (kind, pattern) = match subject {
        // Envoy reads wildcards in certificates; one that is asked for is any name below.
        Subject::Host(host) => match host.strip_prefix('*') {
            Some(suffix) => (SanType::Dns, MatchPattern::Suffix(suffix.to_owned())),
            None => (SanType::Dns, MatchPattern::Exact(host.clone())),
        },
        Subject::Uri(uri) => (SanType::Uri, MatchPattern::Exact(uri.clone())),
    };
    SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(StringMatcher { match_pattern: Some(pattern), ..StringMatcher::default() }),
        ..SubjectAltNameMatcher::default()
    }
}
