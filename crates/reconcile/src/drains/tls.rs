//! Whom a drain's server is believed to be: by the machine's authorities, or anybody where the address ends
//! with `#insecure`.

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};

/// Settings for both kinds, made when first needed: the machine's authorities take a while to load.
#[derive(Clone, Default)]
pub(super) struct Tls {
    verified: Arc<OnceLock<Arc<ClientConfig>>>,
    insecure: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Tls {
    pub(super) fn config(&self, insecure: bool) -> Result<Arc<ClientConfig>, rustls::Error> {
        let cell = if insecure { &self.insecure } else { &self.verified };
        if let Some(known) = cell.get() {
            return Ok(known.clone());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if insecure {
            Arc::new(Anybody(provider.clone()))
        } else {
            Arc::new(Verifier::new(provider.clone())?)
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(cell.get_or_init(|| Arc::new(config)).clone())
    }
}

/// Believes any certificate. The connection is still encrypted, with whoever answers.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What was wrong with the other side's certificate, if that is what an error is about.
pub(super) fn certificate_error(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An error of input and output keeps the one that it is about beside its causes.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(inner) = inner
            && let Some(found) = certificate_error(inner)
        {
            return Some(found);
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why.to_string());
        }
        next = error.source();
    }
    None
}
