//! One request from its head to its response: who is it for, may it pass, who answers.

use crate::connection::{Client, Worker};
use crate::dispatch::{Answer, dispatch};
use crate::fault::{BACKLOG, BAD_HEADER, BLANK, CONNECTION_LIMIT, Fault, MAINTENANCE, MALFORMED, NO_WEB};
use crate::head;
use crate::page::Page;
use crate::record::Record;
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use crate::routes::App;
use crate::tunnel;
use domain::route::Backends;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Arc;
use std::time::Instant;

/// Answers one request. There is always an answer; a client that leaves drops this future, and
/// with it the record, which then says so.
pub(crate) async fn handle(
    worker: Arc<Worker>,
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let host = match head::host(&request) {
        Ok(host) => host,
        Err(status) => return page(Page::bad_request(status), None),
    };
    let mut record = open_record(&worker, &client, &request, host);
    let Some((app, key)) = find(&worker, &record.host).await else {
        record.status = Some(StatusCode::NOT_FOUND.as_u16());
        return page(Page::no_such_app(), Some(record));
    };
    record.app = Some(app);
    match forward(&worker, &client, &key, &mut record, request).await {
        Ok((answer, upgrade)) => respond(&worker, client, answer, upgrade, record),
        Err(fault) => fail(fault, record),
    }
}

/// The app at a host, and its key in the table. A router that has just started waits for its
/// first table: what is unknown then may be known a moment later.
async fn find(worker: &Worker, host: &HeaderValue) -> Option<(Arc<App>, String)> {
    let routes = &worker.shared.routes;
    let key = head::route_key(host)?;
    if !routes.has_table() {
        let mut published = routes.published();
        let first = published.wait_for(|count| *count > 0);
        // Without any table in all this time, nothing is known.
        let _ = tokio::time::timeout(worker.shared.config.timeouts.hold, first).await;
    }
    Some((routes.find(&key)?, key.into_owned()))
}

fn open_record(
    worker: &Arc<Worker>,
    client: &Client,
    request: &Request<Incoming>,
    host: HeaderValue,
) -> Box<Record> {
    Box::new(Record {
        worker: worker.clone(),
        started: Instant::now(),
        method: request.method().clone(),
        uri: request.uri().clone(),
        host,
        request_id: head::request_id(request.headers()),
        forwarded_for: head::forwarded_for(request.headers(), &client.address),
        app: None,
        admission: None,
        dyno: None,
        slot: None,
        connected: None,
        status: None,
        bytes: 0,
        fault: None,
        complete: false,
        stalled: client.stalled.clone(),
    })
}

/// Hands the request to a dyno, unless something forbids it.
async fn forward(
    worker: &Arc<Worker>,
    client: &Client,
    key: &str,
    record: &mut Record,
    mut request: Request<Incoming>,
) -> Result<(Answer, Option<OnUpgrade>), &'static Fault> {
    admit(worker, client, record)?;
    head::check(&request, &worker.shared.config.limits)?;
    let upgrade = head::wanted_upgrade(&request);
    let switched = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    head::to_dyno(&mut request, record, client, upgrade);
    let request = request.map(RequestBody::new);
    Ok((dispatch(worker, key, record, request).await?, switched))
}

/// What can be said without a look at the dynos, in the order of Heroku's router.
fn admit(worker: &Worker, client: &Client, record: &mut Record) -> Result<(), &'static Fault> {
    let Some(app) = &record.app else { return Ok(()) };
    if client.over_limit {
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
    let limit = worker.shared.config.limits.in_flight_per_dyno * app.dynos.len().max(1);
    record.admission = Some(App::admit(app, limit).ok_or(&BACKLOG)?);
    Ok(())
}

/// Turns a dyno's answer into the client's.
fn respond(
    worker: &Arc<Worker>,
    asker: Arc<Client>,
    answer: Answer,
    upgrade: Option<OnUpgrade>,
    mut record: Box<Record>,
) -> Response<ResponseBody> {
    let Answer { mut response, sender, progress } = answer;
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    // 101 without having been asked is no answer.
    let tunnel = match (switching, upgrade) {
        (true, None) => return fail(&MALFORMED, record),
        (true, Some(client)) => Some((client, hyper::upgrade::on(&mut response))),
        (false, _) => None,
    };
    let protocol = tunnel.as_ref().and_then(|_| response.headers().get(UPGRADE).cloned());
    if let Err(fault) = head::to_client(response.headers_mut(), &worker.shared.config.limits) {
        return fail(fault, record);
    }
    // An HTTP/1.0 dyno's answer is framed anew; its version says nothing about the router's.
    *response.version_mut() = Version::HTTP_11;
    record.status = Some(response.status().as_u16());
    if let Some((client, dyno)) = tunnel {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            response.headers_mut().insert(UPGRADE, protocol);
        }
        tunnel::open(worker, asker, client, dyno, record);
        return response.map(|_| ResponseBody::page(bytes::Bytes::new(), None));
    }
    let (parts, incoming) = response.into_parts();
    Response::from_parts(parts, ResponseBody::relay(worker, incoming, sender, progress, record))
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
