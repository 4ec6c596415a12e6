//! Encryption with rustls.

use opentracing_http::ConfigError;

/// Files in PEM, with the names of their options for errors.
#[derive(Debug, Default)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: Option<(Vec<u8>, &'static str)>,
    pub(crate) client_certificate: Option<(Vec<u8>, &'static str)>,
    pub(crate) client_key: Option<(Vec<u8>, &'static str)>,
}

#[cfg(not(feature = "tls"))]
pub(crate) use self::without::Tls;

#[cfg(feature = "tls")]
pub(crate) use self::with::Tls;

#[cfg(not(feature = "tls"))]
mod without {
    use super::{ConfigError, TlsFiles};

    /// Without the feature there is no value.
    pub(crate) enum Tls {}

    impl Tls {
        pub(crate) fn new(files: TlsFiles, endpoint_option: &str) -> Result<Self, ConfigError> {
            drop(files);
            Err(ConfigError::new(
                endpoint_option.to_owned(),
                "the crate `opentracing-otlp` is built without its feature `tls`; turn it on, or give an address with `http`",
            ))
        }
    }
}

#[cfg(feature = "tls")]
mod with {
    use std::sync::Arc;

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ClientConfig, RootCertStore};

    use super::{ConfigError, TlsFiles};

    /// The trusted authorities, and this service's certificate.
    pub(crate) struct Tls {
        roots: Vec<CertificateDer<'static>>,
        /// The certificate and its private key, in PEM.
        client: Option<(Vec<u8>, Vec<u8>)>,
        config: ClientConfig,
    }

    impl Tls {
        pub(crate) fn new(files: TlsFiles, endpoint_option: &str) -> Result<Self, ConfigError> {
            let roots = match &files.certificate {
                Some((pem, option)) => certificates(pem, option)?,
                None => rustls_native_certs::load_native_certs().certs,
            };
            let mut store = RootCertStore::empty();
            let (usable, _) = store.add_parsable_certificates(roots.iter().cloned());
            if usable == 0 {
                return Err(match &files.certificate {
                    Some((_, option)) => ConfigError::new(
                        *option,
                        "no certificate in it can be used; give one of an authority, in PEM",
                    ),
                    None => ConfigError::new(
                        endpoint_option.to_owned(),
                        "this system has no certificates of authorities; install them (`ca-certificates`), or set \
                         `certificate` or OTEL_EXPORTER_OTLP_CERTIFICATE",
                    ),
                });
            }
            // The provider that the process has installed; otherwise ring, also if features of other crates leave
            // rustls undecided.
            let provider = CryptoProvider::get_default().cloned();
            let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| {
                    ConfigError::new(
                        endpoint_option.to_owned(),
                        format!("the process' cryptography cannot be used ({error}); install another provider"),
                    )
                    .with_source(error)
                })?
                .with_root_certificates(store);
            let (config, client) = match (files.client_certificate, files.client_key) {
                (None, None) => (builder.with_no_client_auth(), None),
                (Some((chain, option)), Some((key, key_option))) => {
                    let certificates = certificates(&chain, option)?;
                    let parsed = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
                        ConfigError::new(
                            key_option,
                            "there is no private key in it; give one in PEM",
                        )
                    })?;
                    let config = builder
                        .with_client_auth_cert(certificates, parsed)
                        .map_err(|error| {
                            let remedy = format!("the key does not fit the certificate ({error}); give both of one pair");
                            ConfigError::new(key_option, remedy).with_source(error)
                        })?;
                    (config, Some((chain, key)))
                }
                (Some((_, option)), None) | (None, Some((_, option))) => {
                    return Err(ConfigError::new(
                        option,
                        "a certificate needs its key, and a key its certificate; give both",
                    ));
                }
            };
            Ok(Self {
                roots,
                client,
                config,
            })
        }

        /// Returns the configuration for the HTTP client.
        #[cfg(feature = "http")]
        pub(crate) fn for_ureq(&self) -> ureq::tls::TlsConfig {
            use ureq::tls::{
                Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem,
            };

            let roots = self
                .roots
                .iter()
                .map(|der| Certificate::from_der(der).to_owned());
            let roots: Vec<_> = roots.collect();
            let client = self.client.as_ref().and_then(|(chain, key)| {
                let chain = parse_pem(chain).filter_map(Result::ok);
                let chain: Vec<_> = chain
                    .filter_map(|item| match item {
                        PemItem::Certificate(certificate) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                let key = PrivateKey::from_pem(key).ok()?;
                Some(ClientCert::new_with_certs(&chain, key))
            });
            TlsConfig::builder()
                .provider(ureq::tls::TlsProvider::Rustls)
                .root_certs(RootCerts::new_with_certs(&roots))
                .client_cert(client)
                .build()
        }

        /// Returns the configuration for HTTP/2.
        #[cfg(feature = "grpc")]
        pub(crate) fn for_http2(&self) -> Arc<ClientConfig> {
            let mut config = self.config.clone();
            config.alpn_protocols = vec![b"h2".to_vec()];
            Arc::new(config)
        }
    }

    fn certificates(
        pem: &[u8],
        option: &'static str,
    ) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(ConfigError::new(
                option,
                "there is no certificate in it; give one in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
            )),
        }
    }
}
