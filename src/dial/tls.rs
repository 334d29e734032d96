//! Whom to trust when nothing is said about it.

use std::io;
use std::string::ToString;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;

/// One for all connections, made at the first.
///
/// If the program has installed no provider of cryptography this takes the one it was built with,
/// rather than to panic as a builder of rustls would.
pub(crate) fn default_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    #[cfg(feature = "platform-roots")]
    let builder = {
        use rustls_platform_verifier::BuilderVerifierExt;
        builder.with_platform_verifier().map_err(io::Error::other)?
    };
    #[cfg(not(feature = "platform-roots"))]
    let builder = builder.with_root_certificates(rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    });
    let mut config = builder.with_no_client_auth();
    // The upgrade is one of HTTP/1.1: a server that could speak HTTP/2 must know (RFC 7301).
    config.alpn_protocols = [b"http/1.1".to_vec()].into();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

/// Who the certificate is to be for.
pub(crate) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_string())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}
