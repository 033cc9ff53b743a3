//! The real router over a real database, held against Heroku's published schema and against the
//! list of what Kigo has of it (`docs/platform-api.tsv`).
//!
//! The schema is not part of this repository. Its path comes in `KIGO_HEROKU_SCHEMA`; without it
//! the endpoints are still exercised and held against the list, but no answer is validated, and
//! the test says so.

#![expect(clippy::unwrap_used, reason = "a test that meets an error fails there and then")]
#![expect(unreachable_pub, reason = "nothing is reachable from a test; `pub` tells what a module is for")]

mod conformance {
    pub mod exercises;
    pub mod schema;
    pub mod walk;
}
mod support;

use api::gaps::{LINKS, State};
use conformance::schema::Schema;
use conformance::walk::Walk;
use std::collections::BTreeSet;
use std::io::Write;
use support::World;

const VARIABLE: &str = "KIGO_HEROKU_SCHEMA";

fn schema() -> Option<Schema> {
    let Some(path) = std::env::var_os(VARIABLE) else {
        // Not by `eprintln`, whose words are shown only when the test fails.
        let words = format!("{VARIABLE} is not set: answers are NOT validated against Heroku's schema.\n");
        std::io::stderr().write_all(words.as_bytes()).unwrap();
        return None;
    };
    let text = std::fs::read_to_string(&path);
    Some(Schema::read(&text.unwrap_or_else(|error| panic!("{VARIABLE} ({}): {error}", path.display()))))
}

#[tokio::test]
async fn every_endpoint_is_done_as_the_schema_says_or_is_a_listed_gap() {
    let mut walk = Walk::new(World::new().await, schema());
    conformance::exercises::run(&mut walk).await;
    conformance::exercises::empty_lists(&mut walk).await;
    conformance::exercises::gaps(&mut walk).await;
    let faults = walk.finish();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_list_names_each_link_of_the_schema_once() {
    let keys: Vec<_> = LINKS
        .iter()
        .map(|link| (link.definition.clone(), link.title.clone(), link.method.to_string(), link.path.clone()))
        .collect();
    let listed: BTreeSet<_> = keys.iter().cloned().collect();
    assert_eq!(listed.len(), keys.len(), "a link is listed twice");
    for link in LINKS.iter() {
        let needs_reason = link.state != State::Done;
        assert_eq!(!link.reason.is_empty(), needs_reason, "{} {}: reason", link.method, link.path);
    }
    let Some(schema) = schema() else { return };
    let named: BTreeSet<_> = schema
        .links
        .iter()
        .map(|link| (link.definition.clone(), link.title.clone(), link.method.to_string(), link.path.clone()))
        .collect();
    let new: Vec<_> = named.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&named).collect();
    assert!(new.is_empty() && stale.is_empty(), "not listed: {new:#?}\nnot in the schema: {stale:#?}");
}
