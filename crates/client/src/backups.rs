//! Backups of add-ons: the data API.

use crate::{Client, ClientError};
use futures_util::{Stream, TryStreamExt};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use wire::data::transfer::{PublicUrl, Restore, Schedule, SetSchedule, Transfer};

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// An app's backups, restores and copies, oldest first.
    pub async fn transfers(&self, app: &str) -> Result<Vec<Transfer>> {
        self.get(&["client", "v11", "apps", app, "transfers"]).await
    }

    /// One by its number, with what it has told.
    pub async fn transfer(&self, app: &str, number: u32) -> Result<Transfer> {
        let number = number.to_string();
        let path = ["client", "v11", "apps", app, "transfers", &number];
        self.get_with(&path, &[("verbose", "true")]).await
    }

    /// Begins a backup of an add-on.
    pub async fn backup(&self, addon: &str) -> Result<Transfer> {
        self.send(Method::POST, &["client", "v11", "databases", addon, "backups"], &json!({})).await
    }

    /// Begins a restore into an add-on.
    pub async fn restore(&self, addon: &str, input: &Restore) -> Result<Transfer> {
        self.send(Method::POST, &["client", "v11", "databases", addon, "restores"], input).await
    }

    /// The bytes of a backup, and how many they are if that was said.
    pub async fn dump(
        &self,
        app: &str,
        number: u32,
    ) -> Result<(Option<u64>, impl Stream<Item = std::io::Result<bytes::Bytes>> + Send + Unpin + use<>)> {
        let number = number.to_string();
        let path = ["client", "v11", "apps", app, "transfers", &number, "actions", "public-url"];
        let public: PublicUrl = self.send(Method::POST, &path, &json!({})).await?;
        // The address is this server's, which may be reached another way from here.
        let token = public.url.rsplit('/').next().unwrap_or_default();
        let response = self.open(&["backups", token], HeaderMap::new()).await?;
        let size = response.content_length();
        Ok((size, Box::pin(response.bytes_stream().map_err(std::io::Error::other))))
    }

    /// Daily backups of all add-ons of the app that pays for this one.
    pub async fn schedules(&self, addon: &str) -> Result<Vec<Schedule>> {
        self.get(&["client", "v11", "databases", addon, "transfer-schedules"]).await
    }

    /// Sets an add-on's daily backup.
    pub async fn schedule_set(&self, addon: &str, input: &SetSchedule) -> Result<Schedule> {
        self.send(Method::POST, &["client", "v11", "databases", addon, "transfer-schedules"], input).await
    }

    /// Takes an add-on's daily backup away.
    pub async fn schedule_remove(&self, addon: &str, schedule: &Schedule) -> Result<Schedule> {
        let id = schedule.uuid.to_string();
        let path = ["client", "v11", "databases", addon, "transfer-schedules", &id];
        self.send(Method::DELETE, &path, &json!({})).await
    }
}
