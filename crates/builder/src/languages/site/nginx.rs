//! A site as nginx's configuration.
//!
//! A path is looked for in this order, as Heroku's buildpack for static sites has it: files, proxies,
//! redirects, routes. Texts of the app get into the configuration in quotes and mean nothing there
//! but themselves; those that may mention config vars are variables that `boot.sh` defines.

use super::app::App;
use super::ordered::Ordered;
use serde_json::Value;
use std::fmt::Write;

/// Where [`boot.sh`](../boot.sh) writes what it adds.
const OWN: &str = "/tmp/nginx";

/// A text in quotes, for places where nginx looks for variables.
fn text(text: &str) -> String {
    pattern(text).replace('$', "${dollar}")
}

/// A text in quotes, for places where nginx does not.
fn pattern(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The regular expression of a path with `*` for a segment and `**` for any number of them.
fn expression(path: &str) -> String {
    let mut expression = String::new();
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        let (part, taken) = match letter {
            '*' if rest.starts_with("**") => (".*".to_owned(), 2),
            '*' => ("[^/]*".to_owned(), 1),
            letter => (literal(letter), letter.len_utf8()),
        };
        expression.push_str(&part);
        rest = &rest[taken..];
    }
    expression
}

/// A letter of an expression that means itself.
fn literal(letter: char) -> String {
    if r"\.+*?()|[]{}^$#-/ ".contains(letter) && letter != '/' {
        format!("\\{letter}")
    } else {
        letter.to_string()
    }
}

/// What a path that is no file is served by.
struct Elsewhere<'a> {
    /// Proxies, those with the longest path first, by their place in `static.json`.
    proxies: Vec<(usize, &'a str)>,
    redirects: Vec<(usize, &'a str)>,
}

impl<'a> Elsewhere<'a> {
    fn of(app: &'a App) -> Self {
        let names = |(index, name): (usize, &'a String)| (index, name.as_str());
        let settings = &app.settings;
        let mut proxies: Vec<_> =
            settings.proxies.0.iter().map(|(path, _)| path).enumerate().map(names).collect();
        proxies.sort_by_key(|(_, path)| std::cmp::Reverse(path.len()));
        let redirects = settings.redirects.0.iter().map(|(path, _)| path).enumerate().map(names).collect();
        Self { proxies, redirects }
    }

    /// Expression and place of each, in the order in which they are tried.
    fn places(&self) -> impl Iterator<Item = (String, String)> {
        let whole = |path: &str| path.chars().map(literal).collect::<String>();
        let proxies =
            self.proxies.iter().map(move |(i, path)| (format!("~^{}", whole(path)), format!("@proxy_{i}")));
        let redirects = self
            .redirects
            .iter()
            .map(move |(i, path)| (format!("~^{}$", whole(path)), format!("@redirect_{i}")));
        proxies.chain(redirects)
    }
}

/// The configuration of a site.
pub(super) fn configuration(app: &App) -> String {
    let settings = &app.settings;
    let mut maps = String::new();
    let elsewhere = Elsewhere::of(app);
    maps += &map("$uri", "$elsewhere", "@missing", elsewhere.places());
    let hidden = elsewhere.places().map(|(expression, _)| (expression, String::new()));
    let routes = settings.routes.0.iter();
    let routes = routes.map(|(path, file)| {
        (format!("~^{}$", expression(path)), format!("/{}", file.trim_start_matches('/')))
    });
    maps += &map("$uri", "$routed", "", hidden.chain(routes));
    let (header_maps, headers) = headers(&settings.headers);
    maps += &header_maps;

    let mut server = vec![
        format!("root {};", text(&format!("/app/{}", app.root))),
        format!("charset {};", settings.encoding),
    ];
    server.extend(headers);
    server.extend(early(app));
    server.extend(locations(app));
    server.extend(places(app));
    let access = if settings.logging.access { "/dev/stdout" } else { "off" };
    include_str!("nginx.conf")
        .replace("KIGO_CONNECTIONS", &settings.worker_connections.to_string())
        .replace("KIGO_ACCESS", access)
        .replace("KIGO_OWN", OWN)
        .replace("KIGO_MAPS", maps.trim_end())
        .replace("KIGO_SERVER", &format!("        {}", server.join("\n        ")))
}

/// A table in which the first expression that fits decides.
fn map(of: &str, name: &str, default: &str, rows: impl Iterator<Item = (String, String)>) -> String {
    let mut map =
        format!("    map {of} {name} {{\n        volatile;\n        default {};\n", pattern(default));
    for (expression, value) in rows {
        let _ = writeln!(map, "        {} {};", pattern(&expression), text(&value));
    }
    map + "    }\n"
}

/// For each header, a table and the line that sends it. The last path that fits decides alone.
fn headers(headers: &Ordered<Ordered<Value>>) -> (String, Vec<String>) {
    let mut names: Vec<&str> =
        headers.0.iter().flat_map(|(_, all)| all.0.iter().map(|(name, _)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    let mut maps = String::new();
    let mut lines = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let rows = headers.0.iter().rev().map(|(path, all)| {
            let value = all.0.iter().find(|(other, _)| other == name).map(|(_, value)| written(value));
            (format!("~^{}$", expression(path)), value.unwrap_or_default())
        });
        maps += &map("$asked", &format!("$header_{index}"), "", rows);
        lines.push(format!("add_header {name} $header_{index} always;"));
    }
    (maps, lines)
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What comes before any file is looked for.
fn early(app: &App) -> Vec<String> {
    let settings = &app.settings;
    let mut lines = Vec::new();
    if settings.https_only {
        lines.push(
            "if ($http_x_forwarded_proto != \"https\") { return 301 https://$host$request_uri; }".into(),
        );
    }
    if settings.canonical_host.is_some() {
        lines.push("if ($host != $canonical_host) { return 301 $http_x_forwarded_proto://$canonical_host$request_uri; }".into());
    }
    if let Some(page) = &settings.error_page {
        lines.push(format!("error_page 404 500 {};", text(&format!("/{}", page.trim_start_matches('/')))));
    }
    lines
}

/// Where files are looked for.
fn locations(app: &App) -> Vec<String> {
    let settings = &app.settings;
    let mut lines = Vec::new();
    if app.root == "." {
        // The app's own, which is no part of the site.
        lines.push(r#"location ~ "^/\.(?!well-known/)" { return 404; }"#.into());
        lines.push(r#"location ~ "^/(Procfile|app\.json|static\.json|bin/boot)$" { return 404; }"#.into());
    }
    let clean = if settings.clean_urls { "$uri.html " } else { "" };
    if settings.clean_urls {
        lines.push(r#"location ~ "\.html$" { try_files $uri =404; }"#.into());
    }
    for (path, _) in &settings.routes.0 {
        let route = pattern(&format!("^{}$", expression(path)));
        let directory = if settings.clean_urls { "$uri/ " } else { "" };
        lines.push(format!("location ~ {route} {{ try_files {clean}$uri {directory}$routed $elsewhere; }}"));
    }
    lines.push(format!("location / {{ try_files {clean}$uri $uri/ $elsewhere; }}"));
    lines.push("location @missing { return 404; }".into());
    lines
}

/// Proxies and redirects.
fn places(app: &App) -> Vec<String> {
    let settings = &app.settings;
    let mut lines = Vec::new();
    for (index, (path, _)) in settings.proxies.0.iter().enumerate() {
        let prefix: String = path.trim_end_matches('/').chars().map(literal).collect();
        let (rewrite, back) = (pattern(&format!("^{prefix}/?(.*)$")), text(path));
        lines.push(format!("location @proxy_{index} {{"));
        lines.push(format!("    rewrite {rewrite} $proxy_{index}_path/$1 break;"));
        lines.push(format!("    proxy_pass $proxy_{index}_host;"));
        lines.push("    proxy_http_version 1.1;".into());
        lines.push("    proxy_set_header Connection \"\";".into());
        lines.push("    proxy_ssl_server_name on;".into());
        lines.push(format!("    proxy_redirect $proxy_{index}_host$proxy_{index}_path/ {back};"));
        lines.push("}".into());
    }
    for (index, (_, redirect)) in settings.redirects.0.iter().enumerate() {
        lines.push(format!("location @redirect_{index} {{ return {} $redirect_{index}; }}", redirect.status));
    }
    lines
}

/// What a dyno adds, as lines of `boot.sh`: texts that may mention config vars, and what follows
/// from them.
pub(super) fn values(app: &App) -> String {
    let settings = &app.settings;
    let mut lines = vec!["text\tdollar\t$".to_owned()];
    lines.extend(settings.canonical_host.iter().map(|host| format!("text\tcanonical_host\t{host}")));
    let redirects = settings.redirects.0.iter().enumerate();
    lines.extend(redirects.map(|(index, (_, to))| format!("text\tredirect_{index}\t{}", to.url)));
    let proxies = settings.proxies.0.iter().enumerate();
    lines.extend(proxies.map(|(index, (_, to))| format!("origin\tproxy_{index}\t{}", to.origin)));
    lines.push(format!("log\t-\t{}", settings.logging.error));
    let asked = u8::from(settings.basic_auth);
    lines.push(format!("passwords\t{asked}\t{}", settings.basic_auth_htpasswd_path));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_parts_of_a_path() {
        for (path, expected) in [
            ("/*.html", r"/[^/]*\.html"),
            ("/route/**", "/route/.*"),
            ("/**", "/.*"),
            ("/a+b", r"/a\+b"),
            ("/***", "/.*[^/]*"),
            ("/ä b", r"/ä\ b"),
        ] {
            assert_eq!(expression(path), expected);
        }
    }

    #[test]
    fn a_text_means_nothing_but_itself() {
        assert_eq!(text(r#"a"; $x \ b"#), r#""a\"; ${dollar}x \\ b""#);
        assert_eq!(pattern(r"^\.$"), r#""^\\.$""#);
    }

    #[test]
    fn a_site_with_everything() {
        let tree = tempfile::tempdir().unwrap();
        let json = r#"{
            "root": "dist/", "clean_urls": true, "https_only": true, "canonical_host": "${HOST}",
            "error_page": "errors/x.html", "basic_auth": true, "logging": {"access": false, "error": "warn"},
            "routes": {"/assets/*": "/assets/", "/**": "index.html"},
            "redirects": {"/old/": {"url": "${NEW}/here", "status": 302}},
            "proxies": {"/api/": {"origin": "https://${API}.example.com/v1/"}, "/api/new/": {"origin": "http://b"}},
            "headers": {"/**": {"X-A": "a", "Cache-Control": "no-store"}, "/assets/**": {"Cache-Control": "max-age=$1"}}
        }"#;
        std::fs::write(tree.path().join("static.json"), json).unwrap();
        let app = App::determine(tree.path()).unwrap();
        insta::assert_snapshot!(format!("{}\n# values\n{}", configuration(&app), values(&app)));
    }
}
