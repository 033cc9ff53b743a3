//! Pushes that are under way: the one-time keys by which their hooks are known, and the turn of
//! each app, which one push has at a time.

use crate::backend::{Pusher, Target};
use domain::AppId;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedMutexGuard, watch};
use uuid::Uuid;

/// A push, from the request until git has ended.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) pusher: Pusher,
    pub(crate) target: Target,
    pub(crate) repository: PathBuf,
    /// The app's turn, once the hook got it. Kept until git has ended, and so until the ref has
    /// moved or not.
    turn: Mutex<Option<OwnedMutexGuard<()>>>,
    queue: Arc<tokio::sync::Mutex<()>>,
}

impl Session {
    /// Takes the app's turn if nobody has it.
    pub(crate) fn try_turn(&self) -> bool {
        let Ok(turn) = Arc::clone(&self.queue).try_lock_owned() else { return false };
        self.keep(turn);
        true
    }

    /// Waits for the app's turn, first come, first served.
    pub(crate) async fn wait_for_turn(&self) {
        let turn = Arc::clone(&self.queue).lock_owned().await;
        self.keep(turn);
    }

    fn keep(&self, turn: OwnedMutexGuard<()>) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }
}

/// All pushes of this server.
#[derive(Debug)]
pub(crate) struct Sessions {
    limit: usize,
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<String, Arc<Session>>,
    /// Key → not used yet.
    unused: std::collections::HashSet<String>,
    queues: HashMap<AppId, Arc<tokio::sync::Mutex<()>>>,
}

/// Ends the session when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    sessions: Arc<Sessions>,
    pub(crate) key: String,
}

impl Sessions {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), count: watch::Sender::new(0) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut state);
        self.count.send_replace(state.sessions.len());
        result
    }

    /// Registers a push. `None` when there are too many.
    pub(crate) fn begin(
        self: &Arc<Self>,
        pusher: Pusher,
        target: Target,
        repository: PathBuf,
    ) -> Option<Ticket> {
        // Two times 122 random bits.
        let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.with(|state| {
            if state.sessions.len() >= self.limit {
                return None;
            }
            let queue = Arc::clone(state.queues.entry(target.app).or_default());
            let session = Session { pusher, target, repository, turn: Mutex::default(), queue };
            state.sessions.insert(key.clone(), Arc::new(session));
            state.unused.insert(key.clone());
            Some(Ticket { sessions: Arc::clone(self), key })
        })
    }

    /// The push that a key belongs to; a key is good once.
    pub(crate) fn redeem(&self, key: &str) -> Option<Arc<Session>> {
        self.with(|state| state.unused.remove(key).then(|| state.sessions.get(key).cloned()).flatten())
    }

    /// Waits until no push is under way.
    pub(crate) async fn ended(&self) {
        // Fails only when the sender is gone, which `self` holds.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.sessions.with(|state| {
            state.unused.remove(&self.key);
            if let Some(session) = state.sessions.remove(&self.key) {
                // The hook's task may hold the session a moment longer than git lives.
                session.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
                let app = session.target.app;
                drop(session);
                // The map's own: nobody else waits for it.
                if state.queues.get(&app).is_some_and(|queue| Arc::strong_count(queue) == 1) {
                    state.queues.remove(&app);
                }
            }
        });
    }
}
