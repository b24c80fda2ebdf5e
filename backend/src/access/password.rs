//! Passwords: Argon2id (RFC 9106) as PHC strings.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};

use super::secret::{SecretError, random};

/// A password that somebody may choose, bytes. NIST SP 800-63B, 5.1.1.2, asks for 8 at least and takes 64 or more.
const BYTES: std::ops::RangeInclusive<usize> = 10..=256;

/// RFC 9106, 3.1.
const SALT_BYTES: usize = 16;

/// What is tried where nobody has that name, so that the time of an answer does not tell who is known. Of no password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Its length.
    #[error("a password has 10 to 256 bytes, not {0}")]
    Length(usize),
    /// The kernel.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The hash.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// What is kept of a password: Argon2id with 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if !BYTES.contains(&password.len()) {
        return Err(PasswordError::Length(password.len()));
    }
    let salt = SaltString::encode_b64(&random::<SALT_BYTES>()?).map_err(PasswordError::Hash)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether a password is the one whose hash is `known`. Takes as long where nothing is known.
pub(super) fn is_right(known: Option<&str>, given: &str) -> bool {
    let Ok(hash) = PasswordHash::new(known.unwrap_or(NOBODY)) else {
        return false;
    };
    given.len() <= *BYTES.end() && Argon2::default().verify_password(given.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let kept = hash("correct horse").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_right(Some(&kept), "correct horse"));
        assert!(!is_right(Some(&kept), "correct horsf"));
        assert!(!is_right(Some("no hash"), "correct horse"));
        assert_ne!(kept, hash("correct horse").unwrap());
    }

    #[test]
    fn nobody_has_no_password_but_a_hash_that_is_tried() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!is_right(None, ""));
    }

    #[test]
    fn passwords_are_neither_short_nor_endless() {
        assert!(matches!(hash("123456789"), Err(PasswordError::Length(9))));
        assert!(matches!(hash(&"x".repeat(257)), Err(PasswordError::Length(257))));
        assert!(!is_right(None, &"x".repeat(1 << 20)));
    }
}
