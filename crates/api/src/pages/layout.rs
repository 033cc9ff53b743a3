//! What all pages have.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

/// Plain, and readable in the dark as well.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
caption { text-align: left; font-weight: bold; padding: .5rem 0; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8888; vertical-align: top; }
td form { display: inline; }
label { display: block; margin: .6rem 0; }
label.inline { display: inline-block; margin-right: 1rem; }
input, select, button, textarea { font: inherit; }
input:not([type=checkbox]), textarea { width: 100%; max-width: 40rem; box-sizing: border-box; }
small { display: block; opacity: .8; }
code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
[role=alert] { border-left: .3rem solid #c00; padding: .3rem .8rem; }
";

/// What one page has for itself.
pub(super) struct Body {
    pub(super) title: String,
    pub(super) main: Markup,
}

/// A page that runs nothing, that no other page may frame, and that is kept nowhere.
pub(super) fn page(status: StatusCode, body: &Body) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (body.title) " · Kigo" }
                link rel="stylesheet" href="/addon-pages/style.css";
            }
            body {
                main {
                    h1 { (body.title) }
                    (body.main)
                }
            }
        }
    };
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                  frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    (status, headers, Html(document.into_string())).into_response()
}

/// A page that says one thing.
pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, &Body { title: title.into(), main: html! { p role="alert" { (text) } } })
}

/// A page that asks who is there.
pub(super) fn login(status: StatusCode, error: Option<&str>) -> Response {
    let main = html! {
        @if let Some(error) = error { p role="alert" { (error) } }
        form method="post" {
            input type="hidden" name="action" value="login";
            label { "Email" input name="email" type="email" autocomplete="username" required; }
            label { "Password" input name="password" type="password" autocomplete="current-password" required; }
            button { "Log in" }
        }
    };
    page(status, &Body { title: "Log in to Kigo".into(), main })
}
