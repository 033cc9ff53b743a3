//! Waiting for something that another build has, no longer than the build may take.

use crate::BuildError;
use crate::build::Context;
use tokio::time::sleep_until;

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
