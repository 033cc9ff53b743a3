//! What an alert says.

use domain::App;
use domain::papertrail::{Alert, Batch, Search};
use logs::{Found, TailLine};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One alert.
pub(super) struct Message<'a> {
    pub(super) search: &'a Search,
    pub(super) alert: &'a Alert,
    pub(super) batch: &'a Batch,
    pub(super) app: &'a App,
    pub(super) found: &'a Found,
    /// Where people reach the API.
    pub(super) origin: &'a str,
}

impl Message<'_> {
    /// As Papertrail's webhooks have it.
    pub(super) fn payload(&self) -> Value {
        let ids = |line: Option<&TailLine>| line.map(|line| line.id.0.to_string());
        let events: Vec<_> = self.found.lines.iter().map(|line| self.event(line)).collect();
        json!({
            "events": events,
            "saved_search": {
                "id": self.search.id.to_string(),
                "name": self.search.name,
                "query": self.search.query.to_string(),
                "html_search_url": self.page(),
            },
            "frequency": format!("1 {}", self.alert.period),
            "min_id": ids(self.found.lines.first()),
            "max_id": ids(self.found.lines.last()),
            "count": self.found.count,
            "batch_id": self.batch.id.to_string(),
        })
    }

    fn event(&self, line: &TailLine) -> Value {
        let name = self.app.name.as_str();
        json!({
            "id": line.id.0.to_string(),
            "received_at": line.line.time.to_string(),
            "source_name": name,
            "hostname": name,
            "program": program(line),
            "message": String::from_utf8_lossy(&line.line.message),
        })
    }

    pub(super) fn subject(&self) -> String {
        let matches = if self.found.count == 1 { "match" } else { "matches" };
        format!("{}: {} {matches} of {:?}", self.app.name, self.found.count, self.search.name)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} ({}), looked for every {}: {}\n\n",
            self.subject(),
            self.search.query,
            self.alert.period,
            self.page()
        );
        // Writing to a text does not fail.
        for line in &self.found.lines {
            let _ = writeln!(text, "{}", line.line);
        }
        let more = self.found.count.saturating_sub(self.found.lines.len() as u64);
        if more > 0 {
            let _ = writeln!(text, "… and {more} more.");
        }
        text
    }

    fn page(&self) -> String {
        format!("{}/addon-pages/{}?search={}", self.origin, self.search.addon, self.search.id)
    }
}

fn program(line: &TailLine) -> String {
    format!("{}/{}", line.line.source.as_str(), line.line.process)
}
