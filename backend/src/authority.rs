//! The collector's own certificate authority. Pure: keys and certificates in, certificates out.
//!
//! One level: the authority signs agents and, where no other certificate is given, the collector itself. Keys are ECDSA on
//! P-256, which every TLS library speaks.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use uuid::Uuid;

use crate::text::hex_digits;

/// How long the authority is good: the hosts that know it outlive their hardware.
const AUTHORITY_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
/// How long a certificate of the collector itself is good; it is made anew long before.
pub const SERVER_LIFE: Duration = Duration::from_hours(30 * 24);
/// How long a certificate of an agent is good unless somebody says otherwise.
pub const AGENT_LIFE: Duration = Duration::from_hours(7 * 24);
/// How far certificates reach back, for hosts whose clocks are behind.
const BACKDATED: Duration = Duration::from_mins(10);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Keys or certificates could not be made or read.
    #[error("a key or certificate could not be made or read")]
    Certificate(#[from] rcgen::Error),
    /// A request is none, or not signed by its own key.
    #[error("the certificate request is none, or not signed by the key that it is for")]
    Request(#[source] rcgen::Error),
    /// A request without an agent's id.
    #[error("the certificate request's common name is no agent id (a UUID in text)")]
    AgentId,
    /// A name that cannot stand in a certificate.
    #[error("{0:?} is no host name or IP address")]
    Name(String, #[source] rcgen::Error),
}

/// A certificate and its key, DER.
#[derive(Clone)]
pub struct Pair {
    /// X.509.
    pub certificate: Vec<u8>,
    /// PKCS #8.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// A certificate for an agent.
#[derive(Debug, Clone)]
pub struct Certified {
    /// Whose.
    pub agent_id: Uuid,
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// When it was issued, seconds since the Unix epoch; it is valid from a little before on.
    pub issued_unix_s: u64,
    /// When it ends to be.
    pub not_after_unix_s: u64,
}

/// An authority at work.
pub struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new one, good from `now_unix_s` on.
    pub fn make(now_unix_s: u64) -> Result<Pair, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let number = Uuid::new_v4().simple().to_string();
        params.distinguished_name = named(&format!("Telemetrics authority {}", &number[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, now_unix_s, AUTHORITY_LIFE);
        let certificate = params.self_signed(&key)?;
        Ok(Pair {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        })
    }

    /// One that was made before.
    pub fn open(pair: Pair) -> Result<Self, AuthorityError> {
        let key = KeyPair::try_from(pair.key.as_slice())?;
        let certificate = CertificateDer::from(pair.certificate);
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self {
            certificate: certificate.to_vec(),
            issuer,
        })
    }

    /// Its certificate, X.509, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Signs the key of a request for the agent that it names. Of the request nothing else is taken over.
    pub fn certify(
        &self,
        request: &[u8],
        now_unix_s: u64,
        life: Duration,
    ) -> Result<Certified, AuthorityError> {
        let request =
            CertificateSigningRequestParams::from_der(&request.into()).map_err(AuthorityError::Request)?;
        let name = request.params.distinguished_name.get(&DnType::CommonName);
        let agent_id = name.and_then(agent_id).ok_or(AuthorityError::AgentId)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&agent_id.to_string());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let not_after_unix_s = valid(&mut params, now_unix_s, life);
        let certificate = self.sign(params, &request.public_key)?;
        Ok(Certified {
            agent_id,
            certificate,
            issued_unix_s: now_unix_s,
            not_after_unix_s,
        })
    }

    /// A certificate for a server of these names and addresses, with a new key.
    pub fn server(&self, names: &[String], now_unix_s: u64) -> Result<Pair, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        for name in names {
            let one = CertificateParams::new([name.clone()])
                .map_err(|error| AuthorityError::Name(name.clone(), error))?;
            params.subject_alt_names.extend(one.subject_alt_names);
        }
        params.distinguished_name = named(names.first().map_or("collector", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid(&mut params, now_unix_s, SERVER_LIFE);
        Ok(Pair {
            certificate: self.sign(params, &key)?,
            key: key.serialize_der(),
        })
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Vec<u8>, AuthorityError> {
        params.serial_number = Some(serial());
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer)?.der().to_vec())
    }
}

impl Pair {
    /// The key as TLS wants it.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }
}

/// `sha256:` and the SHA-256 of a certificate in hexadecimal digits, as agents are told it.
pub fn fingerprint(certificate: &[u8]) -> String {
    format!("sha256:{}", hex_digits(&sha256(certificate)))
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn agent_id(name: &DnValue) -> Option<Uuid> {
    let text = match name {
        DnValue::Utf8String(text) => text.as_str(),
        DnValue::PrintableString(text) => text.as_str(),
        DnValue::Ia5String(text) => text.as_str(),
        _ => return None,
    };
    Uuid::try_parse(text).ok().filter(|id| !id.is_nil())
}

/// Sets when a certificate is valid; says when it ends to be, seconds since the Unix epoch.
fn valid(params: &mut CertificateParams, now_unix_s: u64, life: Duration) -> u64 {
    let not_before = now_unix_s.saturating_sub(BACKDATED.as_secs());
    let not_after = now_unix_s.saturating_add(life.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(not_before);
    params.not_after = epoch + Duration::from_secs(not_after);
    not_after
}

/// 16 random bytes, positive (RFC 5280, 4.1.2.2: at most 20 bytes).
fn serial() -> SerialNumber {
    let mut bytes = *Uuid::new_v4().as_bytes();
    bytes[0] &= 0x7f;
    SerialNumber::from_slice(&bytes)
}

#[cfg(test)]
mod tests;
