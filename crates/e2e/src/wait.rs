//! Waiting for events instead of for time to pass.

use anyhow::{Result, bail};
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Looks again and again until `look` finds what is waited for, or gives up after five minutes and
/// says what was seen last. `look` returns `Ok(value)` when it is there, `Err(seen)` when not yet.
pub async fn until<T, S: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, S>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_mins(5);
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() > deadline => bail!("waited for {what}; last seen: {seen:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
