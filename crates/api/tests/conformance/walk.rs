//! Calls endpoints, remembers which, and collects what was wrong with the answers.

use super::schema::{Schema, SchemaLink};
use crate::support::{ACCEPT, Answer, World};
use api::gaps::{LINKS, Link, State};
use http::Method;
use serde_json::Value;
use std::collections::HashSet;

/// A walk over all endpoints.
pub struct Walk {
    pub world: World,
    schema: Option<Schema>,
    visited: HashSet<usize>,
    faults: Vec<String>,
}

impl Walk {
    /// Nothing visited yet.
    pub fn new(world: World, schema: Option<Schema>) -> Self {
        Self { world, schema, visited: HashSet::new(), faults: Vec::new() }
    }

    /// Calls a link that is done, by its definition and title, and checks what it answers.
    pub async fn call(&mut self, definition: &str, title: &str, path: &str, body: Value) -> Value {
        let token = self.world.token.clone();
        self.call_as(&token, definition, title, path, body).await
    }

    /// As [`Walk::call`], with another token.
    pub async fn call_as(
        &mut self,
        token: &str,
        definition: &str,
        title: &str,
        path: &str,
        body: Value,
    ) -> Value {
        let Some((index, link)) = find(definition, title, path) else {
            self.faults.push(format!("{definition}: {title} at {path} is not in the list"));
            return Value::Null;
        };
        self.visited.insert(index);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("accept", ACCEPT), ("authorization", &format!("Bearer {token}"))];
        let answer = self.world.send(link.method.as_str(), path, &headers, &text).await;
        self.check(link, path, &answer);
        answer.body
    }

    fn check(&mut self, link: &Link, path: &str, answer: &Answer) {
        let at = format!("{} {path} ({}: {})", link.method, link.definition, link.title);
        if !answer.status.is_success() {
            self.faults.push(format!("{at}: {} {}", answer.status, answer.body));
            return;
        }
        if link.state == State::Empty && answer.body != Value::Array(Vec::new()) {
            self.faults.push(format!("{at}: is listed as empty and answered {}", answer.body));
        }
        let Some(schema) = &self.schema else { return };
        let Some(of_schema) = of_schema(schema, link) else { return };
        for fault in schema.faults(of_schema, &answer.body) {
            self.faults.push(format!("{at}: {fault}"));
        }
        let entries = answer.body.as_array().map(Vec::len);
        if link.state == State::Done && Schema::is_list(of_schema) && entries == Some(0) {
            self.faults.push(format!("{at}: the list was empty, so nothing in it was checked"));
        }
    }

    /// Calls every link of a state with `fill`ed paths.
    pub async fn call_all(&mut self, state: State, fill: impl Fn(&str) -> String) {
        for (index, link) in LINKS.iter().enumerate().filter(|(_, link)| link.state == state) {
            self.visited.insert(index);
            let path = fill(&link.path);
            let answer = self.world.request(link.method.as_str(), &path, Value::Null).await;
            match state {
                State::Gap => self.check_gap(link, &path, &answer),
                _ => self.check(link, &path, &answer),
            }
        }
    }

    fn check_gap(&mut self, link: &Link, path: &str, answer: &Answer) {
        // A gap can share its method and path with a link that is done, under another title.
        let shared = |other: &Link| {
            other.state != State::Gap && other.method == link.method && other.path == link.path
        };
        if LINKS.iter().any(shared) {
            return;
        }
        if answer.body["id"] != "not_implemented" {
            let said = format!("{} {}", answer.status, answer.body);
            self.faults.push(format!("{} {path} is listed as a gap and answered {said}", link.method));
        }
    }

    /// What was wrong, and what was not visited.
    pub fn finish(mut self) -> Vec<String> {
        for (index, link) in LINKS.iter().enumerate() {
            if !self.visited.contains(&index) {
                let Link { method, path, definition, title, .. } = link;
                self.faults
                    .push(format!("{method} {path} ({definition}: {title}) is listed and not exercised"));
            }
        }
        self.faults
    }
}

/// The line of the list, where several share definition and title the one whose path fits.
fn find(definition: &str, title: &str, path: &str) -> Option<(usize, &'static Link)> {
    let path = path.split('?').next().unwrap_or_default();
    let same = |link: &Link| link.definition == definition && link.title == title && fits(&link.path, path);
    LINKS.iter().enumerate().find(|(_, link)| same(link))
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
}

fn of_schema<'a>(schema: &'a Schema, link: &Link) -> Option<&'a SchemaLink> {
    let same = |other: &&SchemaLink| {
        let names = (&other.definition, &other.title) == (&link.definition, &link.title);
        names && (&other.method, &other.path) == (&link.method, &link.path)
    };
    schema.links.iter().find(same)
}

/// `Method` in a path's place would go unnoticed without types.
#[test]
fn links_are_found_by_their_path() {
    let (_, link) = find("app", "Info", "/apps/blog").expect("listed");
    assert_eq!((&link.method, link.path.as_str()), (&Method::GET, "/apps/{app}"));
    assert!(find("app", "Info", "/apps").is_none());
}
