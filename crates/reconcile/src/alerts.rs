//! Looks searches up that send alerts, and sends them.
//!
//! What was found is written down as a batch before it is sent, from one line to another of the app's log, and
//! forgotten once it was taken. A server that is killed in between sends the same batch again, under the same
//! id; lines are in one batch only.

mod message;

use crate::Settings;
use crate::driver::{Loop, Turn};
use crate::error::{Error, Result};
use crate::reach::Reach;
use crate::send::{self, Post};
use async_trait::async_trait;
use domain::papertrail::{Alert, Batch, Recipient, Search};
use domain::{App, AppId, LogQuery};
use jiff::Timestamp;
use logs::{Bounds, Found, LineId, Logs, Query};
use message::Message;
use ops::Ops;
use planner::papertrail::{Step, retry_at, step};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Lines that an alert shows.
const SHOWN: usize = 100;

/// The loop.
pub(crate) struct Alerts {
    pub(crate) ops: Ops,
    pub(crate) logs: Logs,
    pub(crate) settings: Arc<Settings>,
}

#[async_trait]
impl Loop for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        keep_logs(&self.ops, &self.logs).await?;
        let searches = store::papertrail::with_alerts(&mut self.ops.store().read().await?).await?;
        // One whose recipient does not answer must not delay the others.
        let turns = searches.iter().map(|search| self.advance(search));
        let mut next = None::<Timestamp>;
        let mut failure = Ok(());
        for turn in futures_util::future::join_all(turns).await {
            match turn {
                Ok(at) => next = next.into_iter().chain(at).min(),
                Err(error) => failure = Err(error),
            }
        }
        failure?;
        Ok(Turn { detail: json!({ "searches": searches.len() }), next })
    }
}

/// Has as much of apps' logs kept as their plans say. To be called before anything is logged.
pub async fn keep_logs(ops: &Ops, logs: &Logs) -> Result<()> {
    let kept = ops::papertrail::kept(ops).await?;
    let bounds: HashMap<AppId, Bounds> =
        kept.into_iter().map(|(app, bytes, age)| (app, Bounds { bytes, age })).collect();
    logs.keep(bounds);
    Ok(())
}

impl Alerts {
    /// Takes an alert as far as it goes now, and tells when it needs another look.
    async fn advance(&self, search: &Search) -> Result<Option<Timestamp>> {
        let (Some(alert), Some(app)) = (&search.alert, self.app(search).await?) else { return Ok(None) };
        match step(alert, self.ops.now()) {
            Step::Wait(at) => return Ok(Some(at)),
            Step::Look => self.look(search, alert, &app).await?,
            Step::Send => {
                if let Some(batch) = &alert.batch {
                    self.send(search, alert, batch, &app).await?;
                }
            }
        }
        // The change of its row wakes the loop.
        Ok(None)
    }

    async fn app(&self, search: &Search) -> Result<Option<App>> {
        let mut tx = self.ops.store().read().await?;
        let Some(addon) = store::addons::by_id(&mut tx, search.addon).await? else { return Ok(None) };
        Ok(store::apps::by_id(&mut tx, addon.app).await?)
    }

    async fn look(&self, search: &Search, alert: &Alert, app: &App) -> Result<()> {
        let found = self.find(app, &search.query, alert.seen, None).await?;
        Ok(ops::papertrail::looked(&self.ops, search, found.last.0, found.count > 0).await?)
    }

    async fn find(&self, app: &App, query: &LogQuery, after: u64, until: Option<u64>) -> Result<Found> {
        let query = Query { after: Some(LineId(after)), search: Some(query.clone()), ..Query::default() };
        let found = self.logs.search(app.id, query, until.map(LineId), SHOWN).await;
        found.map_err(|error| Error::io("search a log")(std::io::Error::other(error)))
    }

    async fn send(&self, search: &Search, alert: &Alert, batch: &Batch, app: &App) -> Result<()> {
        let found = self.find(app, &search.query, batch.after, Some(batch.until)).await?;
        let origin = &self.ops.settings().api_origin;
        let message = Message { search, alert, batch, app, found: &found, origin };
        let sent = match &alert.to {
            // What matched has been dropped with the oldest of the log: there is nothing to tell any more.
            _ if found.count == 0 => Ok(()),
            Recipient::Webhook(address) => self.post(address, &message).await,
            Recipient::Email(address) => {
                let (subject, text) = (message.subject(), message.text());
                let letter = send::Letter { id: batch.id.0, to: address, subject, text };
                send::mail(self.settings.mail.as_ref(), letter).await
            }
        };
        match sent {
            Ok(()) => ops::papertrail::sent(&self.ops, search.id, batch.id).await?,
            Err(why) => {
                tracing::warn!(search = %search.id, why, "an alert was not sent");
                let again = retry_at(batch.attempts + 1, self.ops.now());
                ops::papertrail::not_sent(&self.ops, search.id, batch.id, &why, again).await?;
            }
        }
        Ok(())
    }

    /// As a form with the field `payload`.
    async fn post(&self, address: &str, message: &Message<'_>) -> std::result::Result<(), String> {
        let payload = message.payload().to_string();
        // An address only to write the form.
        let form = reqwest::Url::parse_with_params("form:", [("payload", payload)]);
        let form = form.map_err(|error| error.to_string())?;
        let post = Post {
            id: message.batch.id.0,
            content_type: "application/x-www-form-urlencoded",
            body: form.query().unwrap_or_default().to_owned(),
        };
        send::post(address, post, &Reach::new(&self.settings.alert_networks)).await
    }
}
