//! An app that is attached to the add-on, whose dynos use it.

use super::inside::Inside;
use anyhow::{Context, Result, bail};
use domain::{AppId, Digest};
use futures_util::StreamExt;
use logs::{LineId, Query};
use std::collections::VecDeque;

/// What a dyno's log says when it has ended.
const EXITED: &str = "Process exited with status ";

/// What it says when there was nothing that could end.
const NOT_LAUNCHED: &str = "Error R99";

/// Lines of a script's that tell why it failed.
const LINES: usize = 8;

/// An app of the test's installation.
pub(super) struct Client<'a> {
    inside: &'a Inside,
    pub(super) name: String,
    id: AppId,
}

impl<'a> Client<'a> {
    /// Makes the app. With an image, it is deployed: the image is its slug.
    pub(super) async fn new(inside: &'a Inside, name: &str, image: Option<Digest>) -> Result<Self> {
        let (ops, admin) = (inside.ops(), &inside.admin);
        let input = ops::apps::Create { name: Some(name.to_owned()), ..Default::default() };
        let app = ops::apps::create(ops, admin, input).await?.app;
        if let Some(image) = image {
            let slug = ops::slugs::create(ops, admin, name, ops::slugs::Create::default()).await?;
            let checksum = format!("SHA256:{}", image.hex());
            let uploaded = ops::slugs::Uploaded { image, checksum, size: 0 };
            ops::slugs::uploaded(ops, &slug.upload_key, uploaded).await?;
            let release = ops::releases::Create { slug: slug.id.to_string(), description: None };
            ops::releases::create(ops, admin, name, release).await?;
        }
        Ok(Self { inside, name: name.to_owned(), id: app.id })
    }

    /// Runs a script in a one-off dyno, as `kigo run` does. An error says what it printed last.
    pub(super) async fn run(&self, script: &str) -> Result<()> {
        let patience = self.inside.patience;
        let input = ops::dynos::Create { command: script.to_owned(), ..Default::default() };
        let made = ops::dynos::create(self.inside.ops(), &self.inside.admin, &self.name, input).await?;
        let name = made.dyno.name.to_string();
        let ended = tokio::time::timeout(patience, self.ended(&name));
        let (status, last) = ended.await.context("the script has not ended in time")??;
        if status != "0" {
            let said = if last.is_empty() { " and printed nothing".to_owned() } else { format!(":\n{last}") };
            bail!("the script ended with status {status}{said}");
        }
        Ok(())
    }

    /// A dyno's status and the last lines that it printed, once it has ended.
    async fn ended(&self, dyno: &str) -> Result<(String, String)> {
        let query = Query {
            after: Some(LineId(0)),
            follow: true,
            process: Some(dyno.to_owned()),
            ..Query::default()
        };
        let mut tail = self.inside.base.logs.tail(self.id, query);
        let mut last = VecDeque::new();
        while let Some(line) = tail.next().await {
            let line = line?.line;
            let text = String::from_utf8_lossy(&line.message).into_owned();
            if line.source == domain::LogSource::App {
                last.push_back(text);
                if last.len() > LINES {
                    last.pop_front();
                }
            } else if let Some(status) = text.strip_prefix(EXITED) {
                return Ok((status.to_owned(), Vec::from(last).join("\n")));
            } else if text.starts_with(NOT_LAUNCHED) {
                bail!("{text}");
            }
        }
        bail!("the log of {} ended", self.name)
    }

    /// The values of config vars.
    pub(super) async fn config(&self, names: &[String]) -> Result<Vec<(String, String)>> {
        let all = ops::config_vars::info(self.inside.ops(), &self.inside.admin, &self.name).await?;
        let found = names.iter().map(|name| {
            let value = all.0.get(name).with_context(|| format!("{} has no {name}", self.name))?;
            Ok((name.clone(), value.clone()))
        });
        found.collect()
    }
}
