//! Who asks, and what they may see and change.
//!
//! A caller is known by the cookie of a session (people, after `/login`) or by `Authorization: Bearer` with a token
//! (programs). Whoever shows neither is a stranger, and has the role that `serve --anonymous` gives to strangers. By
//! default that is everything for requests of this machine itself, nothing for others: see [`Anonymous::Local`].
//!
//! Browsers send cookies with requests that other sites make. A request that changes something is therefore refused where
//! the browser says that it comes from another site (`Sec-Fetch-Site`, else `Origin`): [`is_cross_site`].

mod attempts;
mod credentials;
mod grpc;
mod password;
mod secret;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use tokio::sync::Semaphore;

use self::attempts::Attempts;
pub(crate) use self::credentials::Credentials;
pub(crate) use self::grpc::{Guard, unknown};
pub use self::password::{PasswordError, hash};
pub use self::secret::{SecretError, secret, token_id};
use crate::authority::sha256;
use crate::store::{Store, StoreError};
use crate::text::host_name;

/// The cookie of a session.
const COOKIE: &str = "telemetrics_session";
/// What tokens of programs begin with, so that one that is found somewhere is known for what it is.
pub const API_TOKEN_PREFIX: &str = "tla_";
/// What tokens begin with that hosts enrol with.
pub const ENROLMENT_TOKEN_PREFIX: &str = "tlm_";
/// Bytes of the name of somebody who signs in, as `people.name` checks it.
const NAME_BYTES: usize = 64;
/// Passwords that are tried at the same time: each takes 19 MiB and some ten milliseconds of a core.
const HASHING: usize = 2;
/// Headers that a proxy adds.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// What a caller may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// See everything but secrets.
    Viewer,
    /// Change issues.
    Triager,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them, those that may least first.
    pub(crate) const ALL: [Self; 3] = [Self::Viewer, Self::Triager, Self::Admin];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Triager => "triager",
            Self::Admin => "admin",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What strangers may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Anonymous {
    /// Everything for those on this machine, nothing for others: the connection is from a loopback address, the server was
    /// called by one (`Host`, so that no page of a name that was bound to 127.0.0.1 gets in), and no proxy was passed.
    Local,
    /// Nothing but sign in.
    None,
    /// What viewers may.
    Viewer,
    /// What triagers may.
    Triager,
    /// Everything.
    Admin,
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who; `None`: a stranger.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// The name that they keep searches under; empty: a stranger, who has them in common with all strangers.
    pub fn owner(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// A wrong name or password: which of them is not said.
    #[error("this name and this password do not belong together")]
    Wrong,
    /// Too many wrong passwords.
    #[error("too many wrong passwords: try again in {0} s")]
    Wait(u64),
    /// The kernel.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Knows callers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    store: Store,
    anonymous: Anonymous,
    attempts: Arc<Attempts>,
    hashing: Arc<Semaphore>,
}

impl Access {
    /// By what the store knows.
    pub fn new(store: Store, anonymous: Anonymous) -> Self {
        Self {
            store,
            anonymous,
            attempts: Arc::default(),
            hashing: Arc::new(Semaphore::new(HASHING)),
        }
    }

    /// Who asks; `None`: a stranger who may do nothing. `peer` is the other end of the connection, as far as it is known.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Option<Caller>, StoreError> {
        if let Some(token) = bearer(headers) {
            // A program that shows a token means to be known by it.
            return self.store.api_token_caller(&sha256(token.as_bytes())).await;
        }
        if let Some(cookie) = cookie(headers)
            && let Some(caller) = self.store.session_caller(&sha256(cookie.as_bytes())).await?
        {
            return Ok(Some(caller));
        }
        Ok(self
            .stranger(headers, peer)
            .map(|role| Caller { name: None, role }))
    }

    fn stranger(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<Role> {
        match self.anonymous {
            Anonymous::Local => is_local(headers, peer).then_some(Role::Admin),
            Anonymous::None => None,
            Anonymous::Viewer => Some(Role::Viewer),
            Anonymous::Triager => Some(Role::Triager),
            Anonymous::Admin => Some(Role::Admin),
        }
    }

    /// Opens a session and answers with its cookie's value.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<String, SignInError> {
        let wait = self.attempts.wait(name);
        if wait > 0 {
            return Err(SignInError::Wait(wait));
        }
        let known = self.store.password(name).await?;
        // Invariant: the semaphore is never closed.
        let permit = Arc::clone(&self.hashing).acquire_owned().await;
        let given = password.to_owned();
        let right = tokio::task::spawn_blocking(move || password::is_right(known.as_deref(), &given)).await;
        drop(permit);
        if !right.unwrap_or(false) {
            self.attempts.failed(name);
            self.store.audit(name, "sign-in-refused", "").await?;
            return Err(SignInError::Wrong);
        }
        self.attempts.succeeded(name);
        let cookie = secret("")?;
        self.store.open_session(&sha256(cookie.as_bytes()), name).await?;
        Ok(cookie)
    }

    /// Ends the session of a browser, if it has one.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<(), StoreError> {
        match cookie(headers) {
            Some(cookie) => self.store.end_session(&sha256(cookie.as_bytes())).await,
            None => Ok(()),
        }
    }
}

/// A name that somebody may sign in with; or what is wrong with it.
pub fn person_name(text: &str) -> Result<String, String> {
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte);
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    if begins && text.len() <= NAME_BYTES && text.bytes().all(right) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 64 lower-case letters, digits and . _ @ -, a letter or digit first".to_owned())
    }
}

/// `Set-Cookie` for a session; an empty value ends it. Over TLS, which a proxy in front tells of, it is kept to TLS.
pub(crate) fn set_cookie(value: &str, headers: &HeaderMap) -> String {
    let over_tls = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    let secure = if over_tls { "; Secure" } else { "" };
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")
}

/// Whether a browser says that another site makes this request, which is not one that only looks.
///
/// `Sec-Fetch-Site` (W3C Fetch Metadata Request Headers, 2.3) is sent by browsers since 2023 for trustworthy origins;
/// without it `Origin` has to name this host (RFC 6454, 7). Programs send neither, and no cookies that they were not given.
pub(crate) fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return false;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin), host) => origin.split_once("://").map(|(_scheme, authority)| authority) != host,
        (None, None, _) => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then_some(value))
}

fn is_local(headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    let passed_a_proxy = FORWARDED.iter().any(|name| headers.contains_key(*name));
    peer.is_some_and(|peer| peer.to_canonical().is_loopback()) && !passed_a_proxy && calls_loopback(headers)
}

/// HTTP/2 has `:authority` instead of `Host`: gRPC clients are no browsers, and nobody binds a name for them.
fn calls_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let name = host_name(host.to_str().unwrap_or_default());
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
