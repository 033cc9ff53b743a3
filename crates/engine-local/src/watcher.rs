//! Following one container: its shim says when something changes.

use crate::{Shared, has_exited};
use engine::ContainerId;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Pause before a shim that cannot be reached is tried again. Also how often such a container is
/// looked at instead.
const RETRY: Duration = Duration::from_secs(1);

/// Follows a container until it has ended, or until this is dropped.
pub(crate) struct Watcher {
    progress: watch::Sender<u64>,
    task: AbortHandle,
}

impl Watcher {
    pub(crate) fn start(shared: &Arc<Shared>, id: ContainerId) -> Self {
        let progress = watch::Sender::new(0);
        let task = tokio::spawn(follow(Arc::downgrade(shared), id, progress.clone())).abort_handle();
        Self { progress, task }
    }

    /// Counts up whenever there may be new output, or the container may have ended.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(shared: Weak<Shared>, id: ContainerId, progress: watch::Sender<u64>) {
    let mut warned = false;
    // The engine is not kept alive by what follows its containers.
    while let Some(shared) = shared.upgrade() {
        let subscription = shared.host().subscribe(id).await;
        let announce = |shared: &Shared, state: bool| {
            progress.send_modify(|count| *count += 1);
            if state {
                shared.changed();
            }
        };
        // What happened before the subscription was not announced.
        announce(&shared, true);
        let weak = Arc::downgrade(&shared);
        if let Ok(mut subscription) = subscription {
            drop(shared);
            while let Some(event) = subscription.next().await {
                let Some(shared) = weak.upgrade() else { return };
                announce(&shared, event.state);
                if event.state && !warned {
                    warned = warn(&shared, id);
                }
            }
        }
        let Some(shared) = weak.upgrade() else { return };
        announce(&shared, true);
        match shared.host().observe(id) {
            Ok(seen) if !has_exited(&seen.status) => {}
            // It has ended, or it was removed.
            _ => return,
        }
        drop(shared);
        tokio::time::sleep(RETRY).await;
    }
}

/// Tells the operator what this machine could not provide for a container. True if there was
/// something to tell.
fn warn(shared: &Shared, id: ContainerId) -> bool {
    let warnings = shared.host().observe(id).map(|seen| seen.warnings).unwrap_or_default();
    for warning in &warnings {
        tracing::warn!(container = %id, "{warning}");
    }
    !warnings.is_empty()
}
