//! What an app says about itself: its `static.json`, or where its index.html is.

use super::ordered::Ordered;
use super::words::SiteError;
use crate::output::Output;
use crate::source::{has_file, read_file};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Directories with a site, the most likely to be what a build made first. The last is the app
/// itself.
const ROOTS: [&str; 8] = ["dist", "build", "_site", "public", "public_html", "www", "site", "."];

/// Statuses with an address behind them.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// How nginx calls the severity of what it logs.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];

/// Whether an app is a static site.
pub(super) fn recognise(tree: &Path) -> bool {
    has_file(tree, "static.json") || root_of(tree).is_some()
}

fn root_of(tree: &Path) -> Option<&'static str> {
    ROOTS.into_iter().find(|root| has_file(tree, &format!("{root}/index.html")))
}

/// The site: `static.json` with its defaults.
#[derive(Debug)]
pub(super) struct App {
    /// The directory that is served, relative to the app; `.` is the app itself.
    pub(super) root: String,
    /// Whether `static.json` is there.
    described: bool,
    pub(super) settings: Settings,
}

/// `static.json`, as far as it says more than the root.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    root: Option<String>,
    pub(super) encoding: String,
    /// `false` means none.
    #[serde(deserialize_with = "text_or_false")]
    pub(super) canonical_host: Option<String>,
    pub(super) clean_urls: bool,
    pub(super) https_only: bool,
    pub(super) basic_auth: bool,
    pub(super) basic_auth_htpasswd_path: String,
    pub(super) worker_connections: u16,
    pub(super) error_page: Option<String>,
    pub(super) routes: Ordered<String>,
    pub(super) redirects: Ordered<Redirect>,
    pub(super) proxies: Ordered<Proxy>,
    pub(super) headers: Ordered<Ordered<Value>>,
    pub(super) logging: Logging,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: None,
            encoding: "UTF-8".into(),
            canonical_host: None,
            clean_urls: false,
            https_only: false,
            basic_auth: false,
            basic_auth_htpasswd_path: "/app/.htpasswd".into(),
            worker_connections: 2048,
            error_page: None,
            routes: Ordered::default(),
            redirects: Ordered::default(),
            proxies: Ordered::default(),
            headers: Ordered::default(),
            logging: Logging::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Redirect {
    pub(super) url: String,
    #[serde(default = "moved")]
    pub(super) status: u16,
}

fn moved() -> u16 {
    301
}

#[derive(Debug, Deserialize)]
pub(super) struct Proxy {
    pub(super) origin: String,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Logging {
    pub(super) access: bool,
    pub(super) error: String,
}

impl Default for Logging {
    fn default() -> Self {
        Self { access: true, error: "error".into() }
    }
}

fn text_or_false<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrNot {
        Text(String),
        Not(Option<bool>),
    }
    match TextOrNot::deserialize(deserializer)? {
        TextOrNot::Text(text) => Ok(Some(text)),
        TextOrNot::Not(Some(true)) => Err(serde::de::Error::custom("a host was expected instead of true")),
        TextOrNot::Not(_) => Ok(None),
    }
}

impl App {
    /// Reads the app in `tree`.
    pub(super) fn determine(tree: &Path) -> Result<Self, SiteError> {
        let bytes = read_file(tree, "static.json")
            .map_err(|error| SiteError::Unreadable(crate::errors::chain(&error)))?;
        let described = bytes.is_some();
        let mut settings = match bytes {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| SiteError::NotJson(error.to_string()))?
            }
            None => Settings::default(),
        };
        let root = match (&settings.root, described) {
            (Some(root), _) => inside("root", root)?,
            (None, true) => "public_html".into(),
            (None, false) => root_of(tree).unwrap_or(".").to_owned(),
        };
        if settings.error_page.is_none() && has_file(tree, &format!("{root}/404.html")) {
            settings.error_page = Some("404.html".into());
        }
        settings.check()?;
        Ok(Self { root, described, settings })
    }

    /// Tells the user what is served.
    pub(super) async fn tell(&self, output: &Output) {
        let what = if self.root == "." { "the files of the app".into() } else { format!("{}/", self.root) };
        let why = match (&self.settings.root, self.described) {
            (Some(_), _) => "as static.json says",
            (None, true) => "as static.json does not say otherwise",
            (None, false) => "where index.html is",
        };
        output.heading(format!("Serving {what}, {why}")).await;
    }
}

impl Settings {
    /// Whether everything can be said to nginx.
    fn check(&self) -> Result<(), SiteError> {
        let bad = |place: &str, why: &str| Err(SiteError::Setting { place: place.into(), why: why.into() });
        if !self.encoding.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return bad("encoding", "this is no character set");
        }
        if !LEVELS.contains(&self.logging.error.as_str()) {
            return bad("logging.error", &format!("this has to be one of {}", LEVELS.join(", ")));
        }
        if self.worker_connections < 16 {
            return bad("worker_connections", "these are too few to serve anything");
        }
        if let Some(page) = &self.error_page {
            inside("error_page", page)?;
        }
        for (path, redirect) in &self.redirects.0 {
            if !REDIRECTS.contains(&redirect.status) {
                let list = REDIRECTS.map(|status| status.to_string()).join(", ");
                return bad(&format!("redirects.{path}.status"), &format!("this has to be one of {list}"));
            }
        }
        for (path, headers) in &self.headers.0 {
            for (name, value) in &headers.0 {
                let place = format!("headers.{path}.{name}");
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
                    return bad(&place, "this is no name of a header");
                }
                if value.is_array() || value.is_object() {
                    return bad(&place, "the value of a header is a text");
                }
            }
        }
        match self.texts().find(|(_, text)| text.chars().any(char::is_control)) {
            Some((place, _)) => bad(place, "there is a control character in it"),
            None => Ok(()),
        }
    }

    /// Everything that is handed on as it is, and where it is.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let host = self.canonical_host.iter().map(|text| ("canonical_host", text.as_str()));
        let password = [("basic_auth_htpasswd_path", self.basic_auth_htpasswd_path.as_str())];
        let page = self.error_page.iter().map(|text| ("error_page", text.as_str()));
        let routes = self.routes.0.iter().flat_map(|(a, b)| [("routes", a.as_str()), ("routes", b)]);
        let redirects = self
            .redirects
            .0
            .iter()
            .flat_map(|(a, b)| [("redirects", a.as_str()), ("redirects", b.url.as_str())]);
        let proxies = self
            .proxies
            .0
            .iter()
            .flat_map(|(a, b)| [("proxies", a.as_str()), ("proxies", b.origin.as_str())]);
        let headers = self.headers.0.iter().flat_map(|(path, headers)| {
            let values = headers.0.iter().filter_map(|(_, value)| value.as_str());
            [path.as_str()].into_iter().chain(values).map(|text| ("headers", text))
        });
        host.chain(password).chain(page).chain(routes).chain(redirects).chain(proxies).chain(headers)
    }
}

/// A path inside of the app, without what means nothing in it.
fn inside(place: &'static str, path: &str) -> Result<String, SiteError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || path.chars().any(char::is_control) {
        return Err(SiteError::Setting { place: place.into(), why: "this leads out of the app".into() });
    }
    Ok(if parts.is_empty() { ".".into() } else { parts.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> Result<App, SiteError> {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert!(recognise(tree.path()));
        App::determine(tree.path())
    }

    #[test]
    fn where_the_site_is() {
        for (files, root) in [
            (&[("index.html", "")][..], "."),
            (&[("index.html", ""), ("dist/index.html", "")][..], "dist"),
            (&[("public/index.html", "")][..], "public"),
            (&[("static.json", "{}"), ("index.html", "")][..], "public_html"),
            (&[("static.json", r#"{"root": "dist/app/"}"#)][..], "dist/app"),
            (&[("static.json", r#"{"root": "/"}"#)][..], "."),
            (&[("static.json", r#"{"root": "./www"}"#)][..], "www"),
        ] {
            assert_eq!(app(files).unwrap().root, root, "{files:?}");
        }
        assert!(!recognise(tempfile::tempdir().unwrap().path()));
    }

    #[test]
    fn a_page_for_what_is_missing() {
        let page = |json: &str| {
            let files = [("static.json", json), ("public_html/404.html", "")];
            app(&files).unwrap().settings.error_page
        };
        assert_eq!(page("{}").as_deref(), Some("404.html"));
        assert_eq!(page(r#"{"error_page": "errors/x.html"}"#).as_deref(), Some("errors/x.html"));
    }

    #[test]
    fn routes_keep_their_order() {
        let json = r#"{"routes": {"/z": "1", "/a": "2", "/z": "3"}, "canonical_host": false}"#;
        let app = app(&[("static.json", json)]).unwrap();
        let routes: Vec<_> = app.settings.routes.0.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(routes, [("/a", "2"), ("/z", "3")]);
        assert_eq!(app.settings.canonical_host, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, place) in [
            (r#"{"root": "../x"}"#, "root"),
            (r#"{"error_page": "a/../../x"}"#, "error_page"),
            (r#"{"encoding": "a b"}"#, "encoding"),
            (r#"{"logging": {"error": "loud"}}"#, "logging.error"),
            (r#"{"worker_connections": 1}"#, "worker_connections"),
            (r#"{"redirects": {"/a": {"url": "/", "status": 200}}}"#, "redirects./a.status"),
            (r#"{"headers": {"/": {"a b": "c"}}}"#, "headers./.a b"),
            (r#"{"headers": {"/": {"a": []}}}"#, "headers./.a"),
            (r#"{"headers": {"/": {"a": "b\nc"}}}"#, "headers"),
            (r#"{"proxies": {"/a": {"origin": "http://x\t"}}}"#, "proxies"),
        ] {
            match app(&[("static.json", json)]).unwrap_err() {
                SiteError::Setting { place: found, .. } => assert_eq!(found, place),
                other => panic!("{json}: {other}"),
            }
        }
        for json in
            ["{", r#"{"routes": []}"#, r#"{"canonical_host": true}"#, r#"{"worker_connections": 99999}"#]
        {
            assert!(matches!(app(&[("static.json", json)]), Err(SiteError::NotJson(_))), "{json}");
        }
    }
}
