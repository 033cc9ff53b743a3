//! The pages that the router itself shows.

use crate::fault::{BLANK, Fault, MAINTENANCE};
use bytes::Bytes;
use domain::route::AppRoute;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

/// A whole response of the router's own.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Whether the connection ends with it.
    pub(crate) close: bool,
}

impl Page {
    /// The page for `fault`: the app's own where it named one, else a plain one.
    pub(crate) fn of_fault(fault: &Fault, route: Option<&AppRoute>) -> Self {
        let status = fault.status.and_then(|code| StatusCode::from_u16(code).ok());
        let custom = route.and_then(|route| {
            if *fault == MAINTENANCE {
                route.maintenance_page.as_deref()
            } else {
                route.error_page.as_deref()
            }
        });
        let body = match custom.filter(|address| may_be_framed(address)) {
            Some(address) => frame(address),
            None if *fault == MAINTENANCE => plain(
                "Offline for maintenance",
                "This application is undergoing maintenance right now. Please check back later.",
                "",
            ),
            None if *fault == BLANK => plain(
                "There's nothing here, yet.",
                "This app has been created and nothing has been deployed to it.",
                fault.code,
            ),
            None => plain(
                "Application error",
                "An error occurred in the application and your page could not be served. If you are \
                 the application owner, check your logs for details.",
                &format!("{} {}", fault.code, fault.description),
            ),
        };
        Self { status: status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), body: body.into(), close: false }
    }

    /// No app answers at this host.
    pub(crate) fn no_such_app() -> Self {
        let body = plain("No such app", "There is no app configured at that hostname.", "");
        Self { status: StatusCode::NOT_FOUND, body: body.into(), close: false }
    }

    /// A request that names no app, or two, or is not HTTP as a proxy can take it.
    pub(crate) fn bad_request(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Bad Request");
        Self { status, body: plain(reason, "This request cannot be served.", "").into(), close: true }
    }

    /// Headers of every page: never to be kept.
    pub(crate) fn headers(headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    }
}

/// Whether an address given by an app's owner can be shown in a frame.
fn may_be_framed(address: &str) -> bool {
    ["https://", "http://", "//"].iter().any(|start| address.starts_with(start))
}

/// A page that is wholly another page; the router never fetches that one.
fn frame(address: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Application</title>\
         <style>html,body,iframe{{margin:0;border:0;padding:0;width:100%;height:100%;display:block}}</style>\
         </head><body><iframe src=\"{}\"></iframe></body></html>\n",
        escape(address)
    )
}

fn plain(title: &str, text: &str, code: &str) -> String {
    let code = if code.is_empty() { String::new() } else { format!("<p><code>{}</code></p>", escape(code)) };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:16px/1.5 sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}}</style></head>\
         <body><h1>{title}</h1><p>{text}</p>{code}</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::route::Backends;

    #[test]
    fn an_owner_cannot_break_out_of_the_frame() {
        let page = frame("https://x/\"><script>");
        assert!(page.contains("src=\"https://x/&quot;&gt;&lt;script&gt;\""), "{page}");
    }

    #[test]
    fn only_web_addresses_are_framed() {
        let mut route = AppRoute {
            app: domain::AppId::new(),
            name: "my-app".parse().expect("a name"),
            maintenance: true,
            error_page: Some("javascript:alert(1)".into()),
            maintenance_page: Some("//pages.example/m.html".into()),
            backends: Backends::Crashed,
        };
        let text = |fault: &Fault, route: &AppRoute| {
            String::from_utf8(Page::of_fault(fault, Some(route)).body.to_vec()).expect("text")
        };
        assert!(!text(&crate::fault::APP_CRASHED, &route).contains("javascript"));
        assert!(text(&crate::fault::APP_CRASHED, &route).contains("H10 App crashed"));
        assert!(text(&MAINTENANCE, &route).contains("src=\"//pages.example/m.html\""));
        route.maintenance_page = None;
        assert!(text(&MAINTENANCE, &route).contains("Offline for maintenance"));
    }
}
