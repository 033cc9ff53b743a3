//! How many requests an account may make, and how many passwords may be tried for it: buckets of
//! tokens that fill up steadily. They are kept in memory; a restart of the server fills them.

use crate::partners::{Caller, Scope};
use crate::{Actor, Error, Ops, Result};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// The buckets of all accounts.
#[derive(Default)]
pub(crate) struct Buckets {
    /// By account; partners have one for each add-on or service that they call for.
    requests: Mutex<HashMap<Uuid, Bucket>>,
    /// By address, whether or not somebody has it: the answer must not tell.
    passwords: Mutex<HashMap<String, Bucket>>,
}

/// Wrong passwords for one address in a row, and those that it gets back each minute. Enough for
/// people, too few for a list of passwords.
const PASSWORDS: Rate = Rate { full: 20.0, per_minute: 5.0 };
/// Addresses that are remembered at most; their number is up to strangers.
const ADDRESSES: usize = 10_000;

#[derive(Clone, Copy)]
struct Rate {
    full: f64,
    per_minute: f64,
}

struct Bucket {
    tokens: f64,
    as_of: Timestamp,
}

/// Takes a token for a request and returns how many are left.
pub fn take(ops: &Ops, actor: &Actor) -> Result<u32> {
    take_from(ops, actor.account.id.0)
}

/// As [`take`], for a partner.
pub fn take_as_partner(ops: &Ops, caller: &Caller) -> Result<u32> {
    let key = match &caller.scope {
        Scope::Addon(id) => id.0,
        Scope::Service(name) => Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()),
    };
    take_from(ops, key)
}

fn take_from(ops: &Ops, key: Uuid) -> Result<u32> {
    with_bucket(ops, key, |bucket| {
        if bucket.tokens < 1.0 {
            return Err(Error::RateLimit);
        }
        bucket.tokens -= 1.0;
        Ok(bucket.tokens as u32)
    })
}

/// How many tokens are left; asking costs nothing.
pub fn remaining(ops: &Ops, actor: &Actor) -> u32 {
    with_bucket(ops, actor.account.id.0, |bucket| bucket.tokens as u32)
}

fn with_bucket<T>(ops: &Ops, key: Uuid, act: impl FnOnce(&mut Bucket) -> T) -> T {
    let settings = ops.settings();
    let rate =
        Rate { full: f64::from(settings.rate_limit), per_minute: f64::from(settings.rate_limit_refill) };
    let now = ops.now();
    let mut buckets = ops.inner.buckets.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let bucket = buckets.entry(key).or_insert(Bucket { tokens: rate.full, as_of: now });
    bucket.refill(rate, now);
    act(bucket)
}

/// Refuses to look at another password for this address for a while, if too many were wrong.
pub(crate) fn try_password(ops: &Ops, email: &str) -> Result<()> {
    let now = ops.now();
    let mut buckets = ops.inner.buckets.passwords.lock().unwrap_or_else(PoisonError::into_inner);
    if buckets.len() >= ADDRESSES && !buckets.contains_key(email) {
        buckets.retain(|_, bucket| {
            bucket.refill(PASSWORDS, now);
            bucket.tokens < PASSWORDS.full
        });
        if buckets.len() >= ADDRESSES {
            return Err(Error::RateLimit);
        }
    }
    let bucket = buckets.entry(email.to_owned()).or_insert(Bucket { tokens: PASSWORDS.full, as_of: now });
    bucket.refill(PASSWORDS, now);
    if bucket.tokens < 1.0 {
        return Err(Error::RateLimit);
    }
    bucket.tokens -= 1.0;
    Ok(())
}

/// The password was right: what was tried before counts no more.
pub(crate) fn forget_passwords(ops: &Ops, email: &str) {
    ops.inner.buckets.passwords.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Timestamp) {
        let minutes = now.duration_since(self.as_of).as_secs_f64().max(0.0) / 60.0;
        self.tokens = (self.tokens + minutes * rate.per_minute).min(rate.full);
        self.as_of = now;
    }
}
