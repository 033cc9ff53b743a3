//! Passwords: argon2id with the parameters that OWASP's password storage cheat sheet names (19 MiB,
//! 2 passes), which are the library's defaults.

use crate::{Error, Result};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Shorter ones are refused.
pub(crate) const MIN_LENGTH: usize = 8;
/// Longer ones only cost time.
const MAX_LENGTH: usize = 1024;

/// A PHC string of a correct form that no password belongs to.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Refuses passwords that are no good.
pub(crate) fn check(password: &str) -> Result<()> {
    if password.chars().count() < MIN_LENGTH {
        return Err(Error::invalid(format!("Password must have at least {MIN_LENGTH} characters.")));
    }
    if password.len() > MAX_LENGTH {
        return Err(Error::invalid(format!("Password must have at most {MAX_LENGTH} bytes.")));
    }
    Ok(())
}

/// The PHC string of a password, with fresh salt.
pub(crate) async fn hash(password: &str) -> Result<String> {
    let password = password.to_owned();
    blocking(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(|error| Error::Internal(error.to_string().into()))
}

/// Whether the password fits. Without a hash (no such account, or one without a password) it takes as
/// long as with one, so that the time does not tell which accounts exist.
pub(crate) async fn verify(password: &str, hash: Option<String>) -> Result<bool> {
    if password.len() > MAX_LENGTH {
        return Ok(false);
    }
    let password = password.to_owned();
    blocking(move || {
        let known = hash.is_some();
        let text = hash.unwrap_or_else(|| NOBODY.into());
        let fits = PasswordHash::new(&text)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && fits
    })
    .await
}

/// How many are hashed at a time, so that many logins at once cannot use up the memory; more wait.
static AT_A_TIME: Semaphore = Semaphore::const_new(2);

/// Off the threads that serve requests: one hash takes some ten milliseconds and 19 MiB.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = AT_A_TIME.acquire().await.map_err(|error| Error::Internal(Box::new(error)))?;
    let work = move || {
        // Held until the work is done, also when whoever wanted it has gone.
        let _permit = permit;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fits_only_its_own_hash() {
        let hash = hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!verify("correct horsf", Some(hash)).await.unwrap());
        assert!(!verify("correct horse", None).await.unwrap());
    }

    #[test]
    fn the_stand_in_is_a_hash() {
        // Else an unknown account would be answered faster than a known one.
        let hash = PasswordHash::new(NOBODY).unwrap();
        assert!(Argon2::default().verify_password(b"x", &hash).is_err());
        assert_eq!(hash.hash.unwrap().as_bytes().len(), 32);
    }

    #[test]
    fn lengths() {
        for (password, good) in
            [("short77", false), ("longer88", true), (&"x".repeat(1024), true), (&"x".repeat(1025), false)]
        {
            assert_eq!(check(password).is_ok(), good, "{}", password.len());
        }
    }
}
