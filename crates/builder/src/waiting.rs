//! Waiting for something that another build has, no longer than the build may take.

use crate::BuildError;
use crate::build::Context;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;
use tokio::time::sleep_until;

/// What builds make for each other, each thing by its name: one build at a time makes it.
#[derive(Debug, Default)]
pub(crate) struct Makers(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

/// That nobody else makes a thing, until dropped.
pub(crate) type Making = OwnedMutexGuard<()>;

impl Makers {
    /// Becomes the one who makes the thing `name`. Look again whether it is there: who made it before
    /// may have been waited for.
    pub(crate) async fn make(&self, context: &Context<'_>, name: &str) -> Result<Making, BuildError> {
        let words = "Waiting for another build, which installs the same";
        wait(context, words, self.lock(name).lock_owned()).await
    }

    fn lock(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = all.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        all.insert(name.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// What `ready` comes to; says `words` if that is not at once. The build's deadline and its cancellation
/// end the waiting.
pub(crate) async fn wait<T>(
    context: &Context<'_>,
    words: &str,
    ready: impl Future<Output = T>,
) -> Result<T, BuildError> {
    let mut ready = std::pin::pin!(ready);
    tokio::select! {
        biased;
        value = &mut ready => return Ok(value),
        () = std::future::ready(()) => {}
    }
    context.output.detail(words).await;
    tokio::select! {
        value = ready => Ok(value),
        () = context.request.cancel.cancelled() => Err(BuildError::Cancelled),
        () = sleep_until(context.deadline.0) => Err(BuildError::TimedOut(context.builder.settings.timeout)),
    }
}
