//! From an admitted request to the head of a dyno's answer: choose, connect, ask, and decide which
//! failures may be tried again.

use crate::choice::find_dyno;
use crate::connection::Worker;
use crate::exchange::{Failure, Rest, exchange};
use crate::fault::{CONNECT_REFUSED, CONNECT_TIMEOUT, Fault, NO_RESPONSE, PLATFORM};
use crate::head::response::Head;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::pool::{DialError, Pool};
use crate::record::Record;
use crate::routes::Dyno;
use domain::DynoId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request that cannot be repeated goes only over a connection that was in use this recently:
/// one that rested longer may be closing at the dyno's end at this very moment.
const FRESH: Duration = Duration::from_secs(1);

/// A dyno's answer, and the connection its body comes over.
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) link: Box<Link>,
    /// The request's body, if it is still under way.
    pub(crate) rest: Option<Rest>,
}

/// Gets an answer from one of the app's dynos.
pub(crate) async fn dispatch(
    record: &mut Record,
    mut outgoing: Box<Outgoing>,
) -> Result<Answer, &'static Fault> {
    let worker = &record.worker.clone();
    // Whether sending it twice does no harm (RFC 9110, 9.2.2) and is possible.
    let repeatable = !outgoing.has_body && record.method.is_idempotent();
    let mut tried: Vec<DynoId> = Vec::new();
    let mut last = &PLATFORM;
    loop {
        let slot = find_dyno(worker, record, &tried, last).await?;
        let dyno = slot.dyno().clone();
        record.dyno = Some(dyno.clone());
        record.slot = Some(slot);
        let sent = match connect(worker, &dyno, repeatable).await {
            Ok(connected) => send(worker, &dyno, connected, record, &mut outgoing, repeatable).await?,
            Err(error) => Sent::Nothing(error),
        };
        match sent {
            Sent::Answered(head, link) => return Ok(answer(worker, head, link, outgoing)),
            Sent::Nothing(error) => last = fail_over(worker, record, &dyno, &mut tried, error),
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

/// A connection, and since when there is one for this request.
type Connected = (Box<Link>, Instant);

async fn connect(worker: &Worker, dyno: &Dyno, repeatable: bool) -> Result<Connected, DialError> {
    let age = if repeatable { worker.shared.config.timeouts.dyno_idle } else { FRESH };
    let now = Instant::now();
    match worker.pool.take(dyno.id, age, now) {
        Some(link) => Ok((link, now)),
        None => dial(worker, dyno).await,
    }
}

async fn dial(worker: &Worker, dyno: &Dyno) -> Result<Connected, DialError> {
    worker.shared.hooks.metrics.dials.inc();
    let link = Pool::dial(dyno, worker.shared.config.timeouts.connect).await?;
    Ok((link, Instant::now()))
}

enum Sent {
    Answered(Head, Box<Link>),
    /// Not a byte of it went out.
    Nothing(DialError),
}

/// Sends the request and waits for the head of the answer. A kept connection that turns out to be
/// closed is replaced by a fresh one to the same dyno where nothing was sent, or sending it twice does
/// no harm.
async fn send(
    worker: &Worker,
    dyno: &Dyno,
    (mut link, mut connected): Connected,
    record: &mut Record,
    outgoing: &mut Outgoing,
    repeatable: bool,
) -> Result<Sent, &'static Fault> {
    let config = &worker.shared.config;
    let mut heard = false;
    loop {
        record.connected = Some(connected);
        outgoing.begin(connected);
        match exchange(&mut link, outgoing, &record.method, &record.client.alarm, config).await {
            Ok(head) => return Ok(Sent::Answered(head, link)),
            Err(Failure::Fault(fault)) => return Err(fault),
            Err(Failure::Unsent) if !link.reused && heard => return Err(&NO_RESPONSE),
            Err(Failure::Unsent) if !link.reused => return Ok(Sent::Nothing(DialError::Refused)),
            Err(Failure::Silent) if !(link.reused && repeatable) => return Err(&NO_RESPONSE),
            Err(Failure::Silent) => heard = true,
            Err(Failure::Unsent) => {}
        }
        (link, connected) = match dial(worker, dyno).await {
            Ok(fresh) => fresh,
            // It may have died of this request, which then must not get to another one.
            Err(_) if heard => return Err(&NO_RESPONSE),
            Err(error) => return Ok(Sent::Nothing(error)),
        };
    }
}

fn answer(worker: &Worker, mut head: Head, mut link: Box<Link>, outgoing: Box<Outgoing>) -> Answer {
    // A dyno may answer before it has read the request; such a connection is not used again.
    head.keep &= outgoing.is_finished();
    let idle = worker.shared.config.timeouts.idle;
    let rest = if outgoing.is_over() { None } else { link.take_writer() };
    let rest = rest.map(|writer| Rest::send(outgoing, writer, idle));
    Answer { head, link, rest }
}
