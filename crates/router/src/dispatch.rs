//! From an admitted request to the head of a dyno's response: choose, connect, send, wait, and
//! decide which failures may be tried again.

use crate::connection::Worker;
use crate::fault::{
    APP_CRASHED, BAD_LENGTH, BIG_HEADER, BLANK, BOOT_TIMEOUT, CONNECT_REFUSED, CONNECT_TIMEOUT, Fault,
    MAINTENANCE, MALFORMED, NO_RESPONSE, NO_WEB, PLATFORM, REQUEST_TIMEOUT,
};
use crate::pool::{DialError, Upstream};
use crate::record::Record;
use crate::request_body::{Progress, RequestBody};
use crate::routes::{App, Dyno, Slot};
use domain::DynoId;
use domain::route::Backends;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout};

/// A request that cannot be repeated goes only over a connection that was in use this recently:
/// one that rested longer may be closing at the dyno's end at this very moment.
const FRESH: Duration = Duration::from_secs(1);
/// How often the wake hook is called for one app.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// A dyno's answer, and the connection it comes over.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) sender: SendRequest<RequestBody>,
    /// The request's body, while it may still be under way.
    pub(crate) progress: Option<Arc<Progress>>,
}

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

/// Gets an answer from one of the app's dynos.
pub(crate) async fn dispatch(
    worker: &Arc<Worker>,
    host: &str,
    record: &mut Record,
    mut request: Request<RequestBody>,
) -> Result<Answer, &'static Fault> {
    let progress = request.body().progress();
    let deadline = record.started + worker.shared.config.timeouts.hold;
    let mut tried: Vec<DynoId> = Vec::new();
    let mut last = &PLATFORM;
    loop {
        let slot = find_dyno(worker, host, record, &tried, deadline, last).await?;
        let dyno = slot.dyno().clone();
        record.dyno = Some(dyno.clone());
        record.slot = Some(slot);
        let upstream = match connect(worker, &dyno, is_repeatable(&request)).await {
            Ok(upstream) => upstream,
            Err(error) => {
                last = fail_over(worker, record, &dyno, &mut tried, error);
                continue;
            }
        };
        record.connected = Some(Instant::now());
        match send(worker, &dyno, upstream, request, progress.as_deref()).await? {
            Sent::Answer(answer, sender) => return Ok(Answer { response: answer, sender, progress }),
            Sent::Nothing(back) => {
                request = back;
                last = fail_over(worker, record, &dyno, &mut tried, DialError::Refused);
            }
        }
    }
}

/// Leaves a dyno that could not be reached.
fn fail_over(
    worker: &Worker,
    record: &mut Record,
    dyno: &Arc<Dyno>,
    tried: &mut Vec<DynoId>,
    error: DialError,
) -> &'static Fault {
    let routes = &worker.shared.routes;
    dyno.quarantine(routes.now() + worker.shared.config.timeouts.quarantine.as_millis() as u64);
    tried.push(dyno.id);
    record.slot = None;
    match error {
        DialError::Refused => &CONNECT_REFUSED,
        DialError::TimedOut => &CONNECT_TIMEOUT,
    }
}

/// Finds a dyno to try next, waiting for one as long as the request may be held.
async fn find_dyno(
    worker: &Worker,
    host: &str,
    record: &mut Record,
    tried: &[DynoId],
    deadline: Instant,
    last: &'static Fault,
) -> Result<Slot, &'static Fault> {
    let routes = &worker.shared.routes;
    let attempts = worker.shared.config.limits.connect_attempts;
    if let Some(app) = &record.app
        && let Choice::Take(slot) = choose(app, tried, routes.now(), attempts)
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
        let Some(app) = routes.find(host) else { return Err(&PLATFORM) };
        let app = record.app.insert(app);
        let now = routes.now();
        let wait = match choose(app, tried, now, attempts) {
            Choice::Take(slot) => return Ok(slot),
            Choice::Refuse(fault) => return Err(fault),
            Choice::Exhausted => return Err(last),
            Choice::Again => continue,
            Choice::Hold => {
                if app.state.claim_wake(now, WAKE_EVERY) {
                    worker.shared.hooks.wake.wake(app.route.app);
                }
                None
            }
            Choice::Rest(until) => Some(Duration::from_millis(until - now)),
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
fn choose(app: &App, tried: &[DynoId], now: u64, attempts: usize) -> Choice {
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
    let free = untried().filter(|dyno| dyno.quarantined(now).is_none()).count();
    if free == 0 {
        return match untried().filter_map(|dyno| dyno.quarantined(now)).min() {
            // Somebody else's failure: give the dynos their time.
            Some(until) if tried.is_empty() => Choice::Rest(until),
            _ => Choice::Exhausted,
        };
    }
    let pick = if free == 1 { 0 } else { rand::random_range(0..free) };
    let mut free = untried().filter(|dyno| dyno.quarantined(now).is_none());
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

async fn connect(worker: &Worker, dyno: &Dyno, repeatable: bool) -> Result<Upstream, DialError> {
    let timeouts = &worker.shared.config.timeouts;
    let age = if repeatable { timeouts.dyno_idle } else { FRESH };
    if let Some(upstream) = worker.pool.take(dyno.id, age).await {
        return Ok(upstream);
    }
    dial(worker, dyno).await
}

async fn dial(worker: &Worker, dyno: &Dyno) -> Result<Upstream, DialError> {
    worker.shared.hooks.metrics.dials.inc();
    worker.pool.dial(dyno, worker.shared.config.timeouts.connect).await
}

enum Sent {
    Answer(Response<Incoming>, SendRequest<RequestBody>),
    /// Not a byte of it went out.
    Nothing(Request<RequestBody>),
}

/// Sends the request and waits for the head of the response. A kept connection that turns out to
/// be closed is replaced by a fresh one where nothing was sent, or nothing can have been done.
async fn send(
    worker: &Worker,
    dyno: &Dyno,
    mut upstream: Upstream,
    mut request: Request<RequestBody>,
    progress: Option<&Progress>,
) -> Result<Sent, &'static Fault> {
    loop {
        let spare = if upstream.reused { copy(&request) } else { None };
        let sending = upstream.sender.try_send_request(request);
        let mut error = match first_byte(worker, sending, progress).await? {
            Ok(answer) => return Ok(Sent::Answer(answer, upstream.sender)),
            Err(error) => error,
        };
        let unsent = error.take_message();
        if !upstream.reused {
            return match unsent {
                Some(request) => Ok(Sent::Nothing(request)),
                None => Err(fault_of(error.error(), progress)),
            };
        }
        request = match unsent.or_else(|| spare.filter(|_| !error.error().is_parse())) {
            Some(request) => request,
            None => return Err(fault_of(error.error(), progress)),
        };
        upstream = match dial(worker, dyno).await {
            Ok(upstream) => upstream,
            Err(_) => return Ok(Sent::Nothing(request)),
        };
    }
}

type Attempt = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// Waits for a response's head: [`crate::Timeouts::first_byte`] from the request's last byte.
async fn first_byte(
    worker: &Worker,
    sending: impl Future<Output = Attempt>,
    progress: Option<&Progress>,
) -> Result<Attempt, &'static Fault> {
    let timeouts = &worker.shared.config.timeouts;
    let Some(progress) = progress else {
        return timeout(timeouts.first_byte, sending).await.map_err(|_| &REQUEST_TIMEOUT);
    };
    tokio::pin!(sending);
    let mut finished = false;
    loop {
        let (deadline, _) = progress.deadline(timeouts);
        tokio::select! {
            biased;
            attempt = &mut sending => return Ok(attempt),
            () = progress.finished(), if !finished => finished = true,
            () = sleep_until(deadline.into()) => {
                let (deadline, fault) = progress.deadline(timeouts);
                if deadline <= Instant::now() {
                    return Err(fault);
                }
            }
        }
    }
}

/// Whether sending the request twice does no harm (RFC 9110, 9.2.2) and is possible.
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    request.body().is_empty() && request.method().is_idempotent()
}

/// What is needed to send a request once more.
fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !is_repeatable(request) {
        return None;
    }
    let mut copy = Request::new(RequestBody::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn fault_of(error: &hyper::Error, progress: Option<&Progress>) -> &'static Fault {
    if let Some(fault) = progress.and_then(Progress::fault) {
        return fault;
    }
    if error.is_parse_too_large() {
        &BIG_HEADER
    } else if error.is_parse() && error.to_string().contains("content-length") {
        // The library tells this case apart in words only.
        &BAD_LENGTH
    } else if error.is_parse() {
        &MALFORMED
    } else {
        &NO_RESPONSE
    }
}
