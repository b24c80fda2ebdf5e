//! TLS of the gRPC port: by files or by the own authority, taken anew when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use jiff::Timestamp;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid, version,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, AuthorityError, SERVER_LIFE};
use crate::enrolment::RENEWAL_GRACE;
use crate::store::{Store, StoreError, chain};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Largest file, bytes.
const FILE_BYTES: u64 = 4 << 20;

/// Where the collector's own certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// From files, PEM.
    Files {
        /// The certificate and those between it and its authority.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// From the own authority, for these names and addresses.
    Own {
        /// Host names and IP addresses.
        names: Vec<String>,
    },
}

/// How TLS is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// By what agents know the collector.
    pub certificate: Certificate,
    /// PEM with authorities of agents' certificates, beside the own one.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// Whether the files hold what they should, before anything else is made.
    pub(super) fn check(&self) -> Result<(), TlsError> {
        if let Certificate::Files { certificate, key } = &self.certificate {
            certificates(certificate)?;
            private_key(key)?;
        }
        if let Some(file) = &self.client_ca {
            certificates(file)?;
        }
        Ok(())
    }
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error("cannot read {} (--tls-cert, --tls-key and --client-ca name the files)", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file without what is wanted.
    #[error("{} holds no {what} in PEM", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: Option<pem::Error>,
    },
    /// There is no authority.
    #[error("there is no authority yet: make one with `backend ca init`, or give --tls-cert and --tls-key")]
    NoAuthority,
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Certificate and key don't fit, or an authority is none.
    #[error("the certificate, its key or the authorities cannot be used")]
    Unfit(#[source] rustls::Error),
    /// The authorities of agents.
    #[error("the authorities of agents cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// The configuration of new connections, kept up to date.
pub(super) struct Reloading {
    tls: Tls,
    store: Store,
    config: watch::Sender<Arc<ServerConfig>>,
}

impl Reloading {
    /// Reads everything for the first time.
    pub(super) async fn start(
        tls: Tls,
        store: Store,
    ) -> Result<(Self, watch::Receiver<Arc<ServerConfig>>), TlsError> {
        let (config, seen) = watch::channel(build(&tls, &store).await?);
        Ok((Self { tls, store, config }, seen))
    }

    /// Reads it again when files change, on SIGHUP, and long before the own certificate ends, until `shutdown`. What cannot
    /// be read changes nothing.
    pub(super) async fn keep_up(self, shutdown: &CancellationToken) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            tracing::warn!("SIGHUP cannot be handled: certificates are read again when their files change");
            return;
        };
        let mut known = self.stamp();
        let mut look = tokio::time::interval(LOOK);
        let mut own = tokio::time::interval(SERVER_LIFE / 4);
        own.reset();
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = hangup.recv() => true,
                _ = own.tick() => true,
                _ = look.tick() => false,
            };
            let stamp = self.stamp();
            if !asked && stamp == known {
                continue;
            }
            match build(&self.tls, &self.store).await {
                Ok(config) => {
                    self.config.send_replace(config);
                    tracing::info!("certificates were read again: new connections use them");
                }
                Err(error) => tracing::error!(
                    error = %chain(&error),
                    "certificates could not be read again: the old ones stay in use"
                ),
            }
            known = stamp;
        }
    }

    /// What changes when a file does.
    fn stamp(&self) -> Vec<Option<(u64, i64, u64)>> {
        use std::os::unix::fs::MetadataExt as _;
        let mut files: Vec<&Path> = self.tls.client_ca.iter().map(PathBuf::as_path).collect();
        if let Certificate::Files { certificate, key } = &self.tls.certificate {
            files.extend([certificate.as_path(), key.as_path()]);
        }
        let stamp = |file: &&Path| {
            let file = fs::metadata(file).ok()?;
            Some((
                file.ino(),
                file.mtime_nsec().wrapping_add(file.mtime()),
                file.size(),
            ))
        };
        files.iter().map(stamp).collect()
    }
}

async fn build(tls: &Tls, store: &Store) -> Result<Arc<ServerConfig>, TlsError> {
    let authority = store.authority().await?.map(Authority::open).transpose()?;
    let (chain, key) = match &tls.certificate {
        Certificate::Files { certificate, key } => (certificates(certificate)?, private_key(key)?),
        Certificate::Own { names } => {
            let authority = authority.as_ref().ok_or(TlsError::NoAuthority)?;
            let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
            let pair = authority.server(names, now)?;
            // Agents that know the authority by its fingerprint want to see it.
            let chain = [pair.certificate.clone(), authority.certificate().to_vec()];
            (chain.map(CertificateDer::from).to_vec(), pair.private_key())
        }
    };
    let mut roots = RootCertStore::empty();
    if let Some(authority) = &authority {
        roots
            .add(authority.certificate().to_vec().into())
            .map_err(TlsError::Unfit)?;
    }
    if let Some(file) = &tls.client_ca {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(TlsError::Unfit)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(TlsError::Unfit)?;
    let builder = if roots.is_empty() {
        builder.with_no_client_auth()
    } else {
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .allow_unauthenticated()
            .build()
            .map_err(TlsError::Verifier)?;
        builder.with_client_cert_verifier(Arc::new(Lenient { inner }))
    };
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unfit)?;
    // How HTTP/2 is named in a handshake (RFC 9113, 3.2).
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    fs::read(path).map_err(failed)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |source| TlsError::Content {
        path: path.to_owned(),
        what: "certificate",
        source,
    };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let all = all.map_err(|error| content(Some(error)))?;
    if all.is_empty() {
        Err(content(None))
    } else {
        Ok(all)
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| TlsError::Content {
        path: path.to_owned(),
        what: "private key",
        source: Some(error),
    })
}

/// Lets certificates through that are over for not too long: what they are still good for, which is a renewal, is decided
/// where it is asked for.
#[derive(Debug)]
struct Lenient {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for Lenient {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let judge = |at| self.inner.verify_client_cert(end_entity, intermediates, at);
        match judge(now) {
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) if now.as_secs().saturating_sub(not_after.as_secs()) <= RENEWAL_GRACE.as_secs() => {
                judge(not_after)
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
