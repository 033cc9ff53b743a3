//! One request from its head to its response: who is it for, may it pass, who answers.

use crate::answer_body::AnswerBody;
use crate::connection::{Client, Worker};
use crate::dispatch::{Answer, dispatch};
use crate::fault::{BACKLOG, BAD_HEADER, BLANK, CONNECTION_LIMIT, Fault, MAINTENANCE, MALFORMED, NO_WEB};
use crate::head::request;
use crate::outgoing::Outgoing;
use crate::page::Page;
use crate::record::Record;
use crate::response_body::ResponseBody;
use crate::routes::App;
use crate::tunnel;
use domain::route::Backends;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// An answer under way. Boxed, so that an idle connection does not carry the state of a request.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

/// Answers one request. There is always an answer; a client that leaves drops this future, and
/// with it the record, which then says so.
///
/// What is needed of the head is copied or written out at once, so that the server can read on
/// into the memory that the head came in.
pub(crate) fn handle(
    worker: &Arc<Worker>,
    client: &Arc<Client>,
    mut request: Request<Incoming>,
) -> Answering {
    let host = match request::host(&request) {
        Ok(host) => host,
        Err(status) => return Box::pin(ready(Ok(page(Page::bad_request(status), None)))),
    };
    let upgrade = wanted_upgrade(&mut request);
    let (head, body) = request.into_parts();
    let record = open_record(worker, client, &head, &host);
    let outgoing = outgoing(&record, head, body, upgrade.as_ref());
    Box::pin(async move { Ok(answer(record, outgoing, upgrade).await) })
}

async fn answer(
    mut record: Box<Record>,
    outgoing: Result<Box<Outgoing>, &'static Fault>,
    upgrade: Option<Upgrade>,
) -> Response<ResponseBody> {
    let Some(app) = find(&record.worker, &record.host).await else {
        record.status = Some(StatusCode::NOT_FOUND.as_u16());
        return page(Page::no_such_app(), Some(record));
    };
    record.app = Some(app);
    match forward(&mut record, outgoing).await {
        Ok(answer) => respond(answer, upgrade, record),
        Err(fault) => fail(fault, record),
    }
}

/// The app at a host. A router that has just started waits for its first table: what is unknown
/// then may be known a moment later.
async fn find(worker: &Worker, host: &HeaderValue) -> Option<Arc<App>> {
    let routes = &worker.shared.routes;
    let key = request::route_key(host)?;
    if !routes.has_table() {
        let mut published = routes.published();
        let first = published.wait_for(|count| *count > 0);
        // Without any table in all this time, nothing is known.
        let _ = tokio::time::timeout(worker.shared.config.timeouts.hold, first).await;
    }
    routes.find(&key)
}

/// A protocol that the client wants to change to.
struct Upgrade {
    protocol: HeaderValue,
    /// The client's connection, once it has changed.
    client: OnUpgrade,
}

/// What the client wants to change to. A request with a body is not passed on as such: nobody
/// could tell where its body ends and the other protocol begins.
fn wanted_upgrade(request: &mut Request<Incoming>) -> Option<Upgrade> {
    let protocol = request::wanted_upgrade(request).filter(|_| request.body().is_end_stream())?;
    Some(Upgrade { protocol: request::copy(&protocol), client: hyper::upgrade::on(request) })
}

fn open_record(worker: &Arc<Worker>, client: &Arc<Client>, head: &Parts, host: &HeaderValue) -> Box<Record> {
    Box::new(Record {
        worker: worker.clone(),
        client: client.clone(),
        started: Instant::now(),
        method: head.method.clone(),
        path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        host: request::copy(host),
        request_id: request::request_id(&head.headers),
        forwarded: request::forwarded(&head.headers, &client.peer),
        app: None,
        admission: None,
        dyno: None,
        slot: None,
        connected: None,
        status: None,
        bytes: 0,
        fault: None,
        complete: false,
    })
}

/// The request as a dyno gets it, unless it cannot be passed on.
fn outgoing(
    record: &Record,
    head: Parts,
    body: Incoming,
    upgrade: Option<&Upgrade>,
) -> Result<Box<Outgoing>, &'static Fault> {
    request::check(&head, &record.worker.shared.config.limits)?;
    let own = request::Own {
        host: &record.host,
        id: &record.request_id,
        forwarded: &record.forwarded,
        upgrade: upgrade.map(|upgrade| &upgrade.protocol),
    };
    Ok(Box::new(Outgoing::new(request::write(&head, &own), head.headers, body, record.started)))
}

/// Hands the request to a dyno, unless something forbids it.
async fn forward(
    record: &mut Record,
    outgoing: Result<Box<Outgoing>, &'static Fault>,
) -> Result<Answer, &'static Fault> {
    admit(record)?;
    dispatch(record, outgoing?).await
}

/// What can be said without a look at the dynos, in the order of Heroku's router.
fn admit(record: &mut Record) -> Result<(), &'static Fault> {
    let Some(app) = &record.app else { return Ok(()) };
    if record.client.over_limit {
        return Err(&CONNECTION_LIMIT);
    }
    if app.route.maintenance {
        return Err(&MAINTENANCE);
    }
    match app.route.backends {
        Backends::Blank => return Err(&BLANK),
        Backends::NoWeb => return Err(&NO_WEB),
        Backends::Crashed | Backends::Starting | Backends::Ready(_) => {}
    }
    let limit = record.worker.shared.config.limits.in_flight_per_dyno * app.dynos.len().max(1);
    record.admission = Some(App::admit(app, limit).ok_or(&BACKLOG)?);
    Ok(())
}

/// Turns a dyno's answer into the client's.
fn respond(answer: Answer, upgrade: Option<Upgrade>, mut record: Box<Record>) -> Response<ResponseBody> {
    let Answer { head, link, rest } = answer;
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(reason) = head.reason {
        response.extensions_mut().insert(reason);
    }
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        // 101 without having been asked is no answer.
        let (Some(upgrade), Some(dyno)) = (upgrade, link.into_parts()) else {
            return fail(&MALFORMED, record);
        };
        record.status = Some(head.status.as_u16());
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = head.upgrade {
            response.headers_mut().insert(UPGRADE, protocol);
        }
        tunnel::open(upgrade.client, dyno, record);
        return response.map(|()| ResponseBody::page(bytes::Bytes::new(), None));
    }
    record.status = Some(head.status.as_u16());
    let body = AnswerBody::new(link, head.framing, head.keep);
    response.map(|()| ResponseBody::relay(body, rest, record))
}

fn fail(fault: &'static Fault, mut record: Box<Record>) -> Response<ResponseBody> {
    record.fail(fault);
    let mut shown = Page::of_fault(fault, record.app.as_ref().map(|app| &*app.route));
    // Where a request's end is in doubt, what follows it cannot be another request.
    shown.close = *fault == CONNECTION_LIMIT || fault.code == BAD_HEADER.code;
    page(shown, Some(record))
}

fn page(page: Page, record: Option<Box<Record>>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::page(page.body, record));
    *response.status_mut() = page.status;
    Page::headers(response.headers_mut());
    if page.close {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
