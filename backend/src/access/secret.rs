//! Secrets that are made here: tokens and the cookies of sessions.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::text::hex_digits;

/// Bytes of a secret: nobody guesses 256 bits.
const BYTES: usize = 32;
/// As in `store::access::TOKEN_ID`.
const TOKEN_ID_DIGITS: usize = 16;

/// The kernel gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the kernel gives no random bytes")]
pub struct SecretError;

/// A new secret of 64 hexadecimal digits behind `prefix`.
pub fn secret(prefix: &str) -> Result<String, SecretError> {
    Ok(format!("{prefix}{}", hex_digits(&random::<BYTES>()?)))
}

/// What a token is called by those who may not know it: the first of its hash's digits, as the store has it.
pub fn token_id(sha256: &[u8]) -> String {
    hex_digits(sha256).chars().take(TOKEN_ID_DIGITS).collect()
}

/// Bytes that nobody knows.
pub(super) fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_unspecified| SecretError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_fit_the_wire() {
        let (one, other) = (secret("tlm_").unwrap(), secret("tlm_").unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with("tlm_") && one.len() <= proto::limits::TOKEN_BYTES);
    }
}
