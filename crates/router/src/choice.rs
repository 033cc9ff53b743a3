//! Which dyno takes a request, and how long a request waits for one.

use crate::connection::Worker;
use crate::fault::{APP_CRASHED, BLANK, BOOT_TIMEOUT, Fault, MAINTENANCE, NO_WEB, PLATFORM};
use crate::head::request::route_key;
use crate::record::Record;
use crate::routes::{App, Dyno, Routes, Slot};
use domain::DynoId;
use domain::route::Backends;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// How often the wake hook is called for one app.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// What the table says about one request now.
enum Choice {
    Take(Slot),
    /// The dyno left the table between two looks.
    Again,
    /// Wait for another table.
    Hold,
    /// Every dyno is in quarantine, the first one until then.
    Rest(u64),
    /// There is no other dyno left to try.
    Exhausted,
    Refuse(&'static Fault),
}

/// Finds a dyno to try next, waiting for one as long as the request may be held.
pub(crate) async fn find_dyno(
    worker: &Worker,
    record: &mut Record,
    tried: &[DynoId],
    last: &'static Fault,
) -> Result<Slot, &'static Fault> {
    let routes = &worker.shared.routes;
    let deadline = record.started + worker.shared.config.timeouts.hold;
    let attempts = worker.shared.config.limits.connect_attempts;
    if let Some(app) = &record.app
        && let Choice::Take(slot) = choose(app, tried, routes, attempts)
    {
        return Ok(slot);
    }
    let mut held = None;
    loop {
        let Some(state) = record.app.as_ref().map(|app| app.state.clone()) else { return Err(&PLATFORM) };
        let changed = state.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        // The table may have changed since the request was admitted, or since it was held.
        let app = route_key(&record.host).and_then(|host| routes.find(&host)).ok_or(&PLATFORM)?;
        let app = record.app.insert(app);
        let wait = match choose(app, tried, routes, attempts) {
            Choice::Take(slot) => return Ok(slot),
            Choice::Refuse(fault) => return Err(fault),
            Choice::Exhausted => return Err(last),
            Choice::Again => continue,
            Choice::Hold => {
                if app.state.claim_wake(routes.now(), WAKE_EVERY) {
                    worker.shared.hooks.wake.wake(app.route.app);
                }
                None
            }
            Choice::Rest(until) => Some(Duration::from_millis(until.saturating_sub(routes.now()))),
        };
        held.get_or_insert_with(|| Held::new(worker));
        let wake_at = wait.map_or(deadline, |wait| (Instant::now() + wait).min(deadline));
        tokio::select! {
            () = changed => {}
            () = sleep_until(wake_at.into()) => {
                if Instant::now() >= deadline {
                    return Err(if wait.is_none() { &BOOT_TIMEOUT } else { &PLATFORM });
                }
            }
        }
    }
}

/// Picks by chance among the dynos that were neither tried for this request nor unreachable just
/// now. The order of the answers is that of Heroku's router.
fn choose(app: &App, tried: &[DynoId], routes: &Routes, attempts: usize) -> Choice {
    if app.route.maintenance {
        return Choice::Refuse(&MAINTENANCE);
    }
    match &app.route.backends {
        Backends::Blank => return Choice::Refuse(&BLANK),
        Backends::NoWeb => return Choice::Refuse(&NO_WEB),
        Backends::Crashed => return Choice::Refuse(&APP_CRASHED),
        Backends::Ready(backends) if !backends.is_empty() => {}
        Backends::Starting | Backends::Ready(_) => return Choice::Hold,
    }
    if tried.len() >= attempts {
        return Choice::Exhausted;
    }
    let untried = || app.dynos.iter().filter(|dyno| !tried.contains(&dyno.id));
    let free = untried().filter(|dyno| dyno.quarantined(routes).is_none()).count();
    if free == 0 {
        return match untried().filter_map(|dyno| dyno.quarantined(routes)).min() {
            // Somebody else's failure: give the dynos their time.
            Some(until) if tried.is_empty() => Choice::Rest(until),
            _ => Choice::Exhausted,
        };
    }
    let pick = if free == 1 { 0 } else { rand::random_range(0..free) };
    let mut free = untried().filter(|dyno| dyno.quarantined(routes).is_none());
    // A quarantine that began between the two looks shortens the list; then look again.
    free.nth(pick).and_then(Dyno::reserve).map_or(Choice::Again, Choice::Take)
}

/// Counts a held request.
struct Held<'a>(&'a Worker);

impl<'a> Held<'a> {
    fn new(worker: &'a Worker) -> Self {
        worker.shared.hooks.metrics.held.inc();
        Self(worker)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.shared.hooks.metrics.held.dec();
    }
}
