//! By what the agent believes a server, and shows who it is itself: TLS 1.3 only, since both ends are of this project.

use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, version,
};

use crate::config::Collector;
use crate::enrolment::Enrolment;
use crate::pem::{self, PemError};

/// How HTTP/2 is named in a handshake (RFC 9113, 3.2).
const ALPN: &[u8] = b"h2";

/// Why no TLS connection can be begun.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file or what enrolment brought.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A key that does not fit its certificate, or none that is understood.
    #[error("the certificate of this host and its key do not fit each other")]
    Identity(#[source] Error),
    /// The protocol itself.
    #[error("TLS cannot be set up")]
    Setup(#[source] Error),
    /// Nobody to believe.
    #[error("there is no authority to believe: name one with collector.ca_file, or install ca-certificates")]
    NoAuthority,
    /// The authorities.
    #[error("the authorities that servers are believed by cannot be used")]
    Authorities(#[source] rustls::client::VerifierBuilderError),
}

/// SHA-256 of an authority's certificate, told to whoever enrols a host: `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl std::str::FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "a fingerprint is \"sha256:\" and 64 hexadecimal digits, as `backend ca show` prints it";
        let digits = text.strip_prefix("sha256:").ok_or(FORM)?.replace(':', "");
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(FORM);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_no_digit| FORM)?;
        }
        Ok(Self(bytes))
    }
}

impl Fingerprint {
    /// Whether it is that of a certificate.
    pub fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        digest(&SHA256, certificate).as_ref() == self.0
    }
}

/// By what a server is believed.
#[derive(Debug, Clone)]
pub enum Belief {
    /// Authorities that are known: of the configuration, of enrolment, or the system's.
    Known(Arc<RootCertStore>),
    /// The authority with this fingerprint, which the server sends itself.
    Pinned(Fingerprint),
}

impl Belief {
    /// What the configuration says, and enrolment; otherwise the system's authorities.
    pub fn of(collector: &Collector, enrolment: Option<&Enrolment>) -> Result<Self, TrustError> {
        let mut found = Vec::new();
        if let Some(path) = &collector.ca_file {
            found.extend(pem::certificates(&pem::read(path)?, &path.display().to_string())?);
        }
        if let Some(authority) = enrolment.and_then(|enrolment| enrolment.authority.as_deref()) {
            found.extend(pem::certificates(authority.as_bytes(), "the enrolled authority")?);
        }
        if found.is_empty() {
            // What it cannot read or understand of them it leaves out.
            found = rustls_native_certs::load_native_certs().certs;
        }
        let mut roots = RootCertStore::empty();
        let (added, _not_understood) = roots.add_parsable_certificates(found);
        if added == 0 {
            return Err(TrustError::NoAuthority);
        }
        Ok(Self::Known(Arc::new(roots)))
    }
}

/// The certificate chain and key by which this host shows who it is.
pub type Identity = (
    Vec<CertificateDer<'static>>,
    rustls::pki_types::PrivateKeyDer<'static>,
);

/// The identity of the configuration, otherwise that of enrolment; `None`: the host has none.
pub fn identity(
    collector: &Collector,
    enrolment: Option<&Enrolment>,
) -> Result<Option<Identity>, TrustError> {
    if let (Some(certificate), Some(key)) = (&collector.certificate_file, &collector.key_file) {
        let name = |path: &std::path::Path| path.display().to_string();
        return Ok(Some((
            pem::certificates(&pem::read(certificate)?, &name(certificate))?,
            pem::key(&pem::read(key)?, &name(key))?,
        )));
    }
    let Some(enrolment) = enrolment else {
        return Ok(None);
    };
    Ok(Some((
        pem::certificates(enrolment.certificates.as_bytes(), "the enrolment")?,
        pem::key(enrolment.key.as_bytes(), "the enrolment")?,
    )))
}

/// A client's side of TLS, and what is learnt of the server meanwhile.
#[derive(Debug, Clone)]
pub struct Trust {
    pub(super) config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Trust {
    /// Believes servers by `belief`, at the time `at` where that is not the host's own.
    pub fn new(belief: Belief, identity: Option<Identity>, at: Option<UnixTime>) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier {
            provider: Arc::clone(&provider),
            belief,
            at,
            authority: Mutex::new(None),
        });
        let shared: Arc<dyn ServerCertVerifier> = Arc::<Verifier>::clone(&verifier);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(TrustError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(shared);
        let mut config = match identity {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(TrustError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A connection lasts for days: there is nothing to resume.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            verifier,
        })
    }

    /// The authority that a server was believed by because of its fingerprint.
    pub fn pinned_authority(&self) -> Option<CertificateDer<'static>> {
        let authority = self.verifier.authority.lock();
        authority.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Judges servers as webpki does, by an authority and at a time that may be others than usual.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    belief: Belief,
    at: Option<UnixTime>,
    authority: Mutex<Option<CertificateDer<'static>>>,
}

impl Verifier {
    fn roots(&self, sent: &[CertificateDer<'_>]) -> Result<Arc<RootCertStore>, Error> {
        match &self.belief {
            Belief::Known(roots) => Ok(Arc::clone(roots)),
            Belief::Pinned(fingerprint) => {
                let pinned = sent.iter().find(|certificate| fingerprint.is_of(certificate));
                let pinned = pinned
                    .ok_or(CertificateError::UnknownIssuer)?
                    .clone()
                    .into_owned();
                let mut roots = RootCertStore::empty();
                roots.add(pinned.clone())?;
                *self.authority.lock().unwrap_or_else(PoisonError::into_inner) = Some(pinned);
                Ok(Arc::new(roots))
            }
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = self.roots(intermediates)?;
        let judge = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        let at = self.at.unwrap_or(now);
        judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons_and_nothing_else_is() {
        let plain: Fingerprint = format!("sha256:{}", "0f".repeat(32)).parse().unwrap();
        let colons: Fingerprint = format!("sha256:{}", ["0F"; 32].join(":")).parse().unwrap();
        assert_eq!(plain, colons);
        for wrong in [
            "",
            "sha256:",
            "0f",
            &"0f".repeat(32),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            wrong.parse::<Fingerprint>().unwrap_err();
        }
        // `printf der | openssl dgst -sha256`
        let of: Fingerprint = "sha256:5050d80d22ecd471ea55df7034042c1e041341ff4066e7f6ff38e20b720df8ea"
            .parse()
            .unwrap();
        assert!(of.is_of(&CertificateDer::from(&b"der"[..])));
        assert!(!of.is_of(&CertificateDer::from(&b"another"[..])));
    }
}
