//! TLS to upstreams: the certificate must be of an authority we trust, and for the host we mean.
use std::{net::IpAddr, path::Path};

use envoy_types::pb::envoy::{
    config::core::v3::{DataSource, TransportSocket, data_source, transport_socket},
    extensions::transport_sockets::tls::v3::{
        CertificateValidationContext, CommonTlsContext, SdsSecretConfig, Secret, SubjectAltNameMatcher,
        TlsParameters, UpstreamTlsContext,
        common_tls_context::{CombinedCertificateValidationContext, ValidationContextType},
        secret,
        subject_alt_name_matcher::SanType,
        tls_parameters::TlsProtocol,
    },
    r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern},
};

use super::{
    UPSTREAM_CA,
    pb::{ads, any},
    upstream::Upstream,
};

/// Where systems keep their certificate authorities, as one PEM file.
const SYSTEM_CA_FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// The system's certificate authorities: the first of the usual files that exists here.
pub fn system_ca_file() -> Option<&'static str> {
    SYSTEM_CA_FILES.into_iter().find(|file| Path::new(file).is_file())
}

/// The secret with the certificate authorities.
pub(super) fn authorities(file: &str) -> Secret {
    let ca = DataSource {
        specifier: Some(data_source::Specifier::Filename(file.to_owned())),
        ..DataSource::default()
    };
    let context =
        CertificateValidationContext { trusted_ca: Some(ca), ..CertificateValidationContext::default() };
    Secret { name: UPSTREAM_CA.to_owned(), r#type: Some(secret::Type::ValidationContext(context)) }
}

/// The transport socket of an upstream.
pub(super) fn socket(upstream: &Upstream) -> TransportSocket {
    let (san_type, sni) = match upstream.ip() {
        // RFC 6066, section 3: an address is no server name.
        Some(IpAddr::V4(_) | IpAddr::V6(_)) => (SanType::IpAddress, String::new()),
        None => (SanType::Dns, upstream.host.clone()),
    };
    let host = StringMatcher {
        match_pattern: Some(MatchPattern::Exact(upstream.host.clone())),
        ..StringMatcher::default()
    };
    let subject = SubjectAltNameMatcher {
        san_type: san_type as i32,
        matcher: Some(host),
        ..SubjectAltNameMatcher::default()
    };
    let validation = CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_typed_subject_alt_names: vec![subject],
            ..CertificateValidationContext::default()
        }),
        validation_context_sds_secret_config: Some(SdsSecretConfig {
            name: UPSTREAM_CA.to_owned(),
            sds_config: Some(ads()),
        }),
        ..CombinedCertificateValidationContext::default()
    };
    let context = UpstreamTlsContext {
        sni,
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(TlsParameters {
                tls_minimum_protocol_version: TlsProtocol::TlSv12 as i32,
                tls_maximum_protocol_version: TlsProtocol::TlSv13 as i32,
                ..TlsParameters::default()
            }),
            validation_context_type: Some(ValidationContextType::CombinedValidationContext(validation)),
            ..CommonTlsContext::default()
        }),
        ..UpstreamTlsContext::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(any(&context))),
    }
}
