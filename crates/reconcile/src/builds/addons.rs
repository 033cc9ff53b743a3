//! The add-ons that an app's first buildpack asks for: ordered when the app is built, so that its first
//! release command finds them.

use super::{Worker, say};
use crate::error::Result;
use crate::output::OutputWriter;
use domain::{AddonState, Build};
use ops::builds::{Ordered, PATIENCE};
use std::fmt::Write as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

impl Worker {
    /// Orders them, tells what becomes of each, and waits until they are there, unless the build is
    /// cancelled. One that cannot be had does not stop the deploy.
    pub(super) async fn add_addons(
        &self,
        build: &Build,
        wanted: &[String],
        cancel: &CancellationToken,
        writer: &mut OutputWriter,
    ) -> Result<()> {
        let ordered = ops::builds::order_addons(&self.ops, build.id, wanted).await?;
        if ordered.is_empty() {
            return Ok(());
        }
        say(writer, "-----> Adding the add-ons that the buildpack asks for").await?;
        let end = Instant::now() + PATIENCE;
        for Ordered { plan, addon } in ordered {
            let mut text = String::new();
            match addon {
                Err(error) => {
                    let _ = write!(
                        text,
                        " !     {plan} was not added: {error}\n !     `heroku addons:create` adds another one."
                    );
                }
                Ok(info) => {
                    let left = end.saturating_duration_since(Instant::now());
                    let settled = tokio::select! {
                        settled = ops::addons::settled(&self.ops, info, left) => settled,
                        () = cancel.cancelled() => return Ok(()),
                    };
                    let _ = match settled {
                        Ok(info) if info.addon.state == AddonState::Provisioned => {
                            write!(text, "       {plan} is there as {}", info.addon.name)
                        }
                        Ok(info) if info.addon.state == AddonState::Provisioning => {
                            write!(text, "       {plan} will be there as {} in a while", info.addon.name)
                        }
                        Ok(info) => {
                            let why = info.addon.failure.unwrap_or_else(|| "it was taken back".into());
                            write!(text, " !     {plan} could not be provisioned: {why}")
                        }
                        Err(error) => write!(text, " !     {plan} could not be provisioned: {error}"),
                    };
                }
            }
            say(writer, &text).await?;
        }
        Ok(())
    }
}
