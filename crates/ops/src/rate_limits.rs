//! How many requests an account may make: a bucket of tokens that fills up steadily. It is kept in
//! memory; a restart of the server fills it.

use crate::{Actor, Error, Ops, Result};
use domain::AccountId;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The buckets of all accounts.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<HashMap<AccountId, Bucket>>);

struct Bucket {
    tokens: f64,
    as_of: Timestamp,
}

/// Takes a token for a request and returns how many are left.
pub fn take(ops: &Ops, actor: &Actor) -> Result<u32> {
    with_bucket(ops, actor, |bucket| {
        if bucket.tokens < 1.0 {
            return Err(Error::RateLimit);
        }
        bucket.tokens -= 1.0;
        Ok(bucket.tokens as u32)
    })
}

/// How many tokens are left; asking costs nothing.
pub fn remaining(ops: &Ops, actor: &Actor) -> u32 {
    with_bucket(ops, actor, |bucket| bucket.tokens as u32)
}

fn with_bucket<T>(ops: &Ops, actor: &Actor, act: impl FnOnce(&mut Bucket) -> T) -> T {
    let settings = ops.settings();
    let full = f64::from(settings.rate_limit);
    let now = ops.now();
    let mut buckets = ops.inner.buckets.0.lock().unwrap_or_else(PoisonError::into_inner);
    let bucket = buckets.entry(actor.account.id).or_insert(Bucket { tokens: full, as_of: now });
    let minutes = now.duration_since(bucket.as_of).as_secs_f64().max(0.0) / 60.0;
    bucket.tokens = (bucket.tokens + minutes * f64::from(settings.rate_limit_refill)).min(full);
    bucket.as_of = now;
    act(bucket)
}
