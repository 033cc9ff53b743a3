//! The page for searching a log: a search box, what it finds, and searches that are kept.

use super::layout::Body;
use super::{Fields, Visit, field};
use crate::handlers::papertrail::set;
use crate::{ApiError, present};
use domain::LogQuery;
use futures_util::TryStreamExt;
use logs::{Query, TailLine};
use maud::{Markup, html};
use ops::papertrail;
use wire::papertrail::{AlertSet, Search, Set};

/// Lines that are shown.
const LINES: usize = 200;

/// Does what a form asks for.
pub(super) async fn act(visit: &Visit<'_>, form: &Fields) -> Result<(), ApiError> {
    let (api, actor, app) = (visit.api, visit.actor, visit.app());
    match field(form, "action") {
        "set" => {
            let set = set(api, actor, &app, asked(form)).await?;
            papertrail::create(api.ops(), actor, &app, set).await?;
        }
        "remove" => drop(papertrail::destroy(api.ops(), actor, &app, field(form, "search")).await?),
        _ => return Err(ApiError::bad_request("The form says nothing that this page knows.")),
    }
    Ok(())
}

fn asked(form: &Fields) -> Set {
    let text = |name| Some(field(form, name).trim().to_owned());
    let given = |name| text(name).filter(|text| !text.is_empty());
    let alert =
        given("every").map(|every| AlertSet { every, webhook: given("webhook"), email: given("email") });
    Set { name: text("name"), query: text("query"), alert, no_alert: false }
}

/// The page's own part.
pub(super) async fn page(visit: &Visit<'_>) -> Result<Body, ApiError> {
    let (api, app) = (visit.api, visit.app());
    let searches = papertrail::list(api.ops(), visit.actor, &app).await?;
    let searches: Vec<_> = searches.iter().map(present::search).collect();
    let kept = searches.iter().find(|one| Some(&one.id.to_string()) == visit.query.get("search"));
    let asked = visit.query.get("q").map(String::as_str);
    let query = asked.or(kept.map(|search| search.query.as_str()));
    let found = match query {
        Some(query) => Some(find(visit, query).await?),
        None => None,
    };
    let word = visit.session.form(api);
    let main = html! {
        @if let Some((error, _)) = visit.refused { p role="alert" { (error.body.message) } }
        form method="get" role="search" {
            label {
                "Search the log"
                input type="search" name="q" value=(query.unwrap_or_default());
                small { "words, \"phrases\", AND, OR, -without, (parentheses), program:app/web.1" }
            }
            button { "Search" }
        }
        @match &found {
            Some(Ok(lines)) => (results(lines)),
            Some(Err(why)) => p role="alert" { (why) },
            None => {}
        }
        (list(&searches, &word))
        (keep(visit, query.unwrap_or_default(), &word))
    };
    Ok(Body { title: format!("Log of {}", visit.opened.info.app.name), main })
}

/// The newest lines that match, or why the query cannot be read.
async fn find(visit: &Visit<'_>, query: &str) -> Result<Result<Vec<TailLine>, String>, ApiError> {
    let window = papertrail::window(visit.api.ops(), visit.actor, &visit.app()).await?;
    let search = match LogQuery::parse(query) {
        Ok(search) => search,
        Err(error) => return Ok(Err(error.0)),
    };
    let query = Query { lines: LINES, search: Some(search), since: Some(window.since), ..Query::default() };
    let lines = visit.api.logs().tail(window.app.id, query).try_collect().await;
    Ok(Ok(lines.map_err(|error| ApiError::internal(&error))?))
}

fn results(lines: &[TailLine]) -> Markup {
    html! {
        h2 { "Results" }
        @if lines.is_empty() { p { "Nothing matches." } } @else {
            @if lines.len() == LINES { p { "The newest " (LINES) " lines:" } }
            pre tabindex="0" { @for line in lines { (line.line.to_string().trim_end()) "\n" } }
        }
    }
}

fn list(searches: &[Search], word: &str) -> Markup {
    html! {
        @if !searches.is_empty() { table {
            caption { "Searches" }
            thead { tr { @for name in ["Name", "Query", "Alert", ""] { th scope="col" { (name) } } } }
            tbody { @for search in searches { tr {
                th scope="row" { a href={ "?search=" (search.id) } { (search.name) } }
                td { code { (search.query) } }
                td { @if let Some(alert) = &search.alert {
                    "every " (alert.every) " to " (alert.webhook.as_deref().or(alert.email.as_deref()).unwrap_or_default())
                    @if let Some(at) = alert.sent_at { ", last sent " (at) }
                    @if let Some(why) = &alert.failure { ", not sent: " (why) }
                } }
                td { form method="post" {
                    input type="hidden" name="form" value=(word);
                    input type="hidden" name="search" value=(search.id);
                    button name="action" value="remove" aria-label={ "Remove " (search.name) } { "Remove" }
                } }
            } } }
        } }
    }
}

/// The form for keeping a search; one that was refused shows what was sent.
fn keep(visit: &Visit<'_>, query: &str, word: &str) -> Markup {
    let sent = visit.refused.map(|(_, form)| form);
    let value = |name| sent.map_or("", |form| field(form, name));
    let query = if sent.is_some() { value("query") } else { query };
    html! {
        h2 { "Keep a search" }
        form method="post" {
            input type="hidden" name="form" value=(word);
            label { "Name" input name="name" value=(value("name")) required; }
            label { "Query" input name="query" value=(query) required; }
            label {
                "Send an alert "
                select name="every" {
                    option value="" { "never" }
                    @for period in ["minute", "hour", "day"] {
                        option value=(period) selected[value("every") == period] { "every " (period) }
                    }
                }
            }
            label { "Webhook" input name="webhook" type="url" value=(value("webhook")); }
            label { "or e-mail address" input name="email" type="email" value=(value("email")); }
            button name="action" value="set" { "Save" }
        }
    }
}
