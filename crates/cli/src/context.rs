//! What every command gets: the settings, the printer, and a client when it asks for one.

use crate::printer::Printer;
use crate::settings::Settings;
use anyhow::{Result, bail};
use client::{Client, Config};

pub(crate) struct Context<'a> {
    pub(crate) settings: Settings,
    pub(crate) printer: &'a Printer,
}

impl<'a> Context<'a> {
    pub(crate) fn new(settings: Settings, printer: &'a Printer) -> Self {
        Self { settings, printer }
    }

    /// A client with the user's token.
    pub(crate) fn client(&self) -> Result<Client> {
        let Some(token) = self.settings.token()? else {
            bail!("Not logged in at {}. Run kigo login, or set KIGO_API_KEY.", self.settings.api_url);
        };
        let client = self.build(Some(token))?;
        if client.is_exposed() {
            self.printer.warn(&format!(
                "{} is neither this machine nor encrypted: others can read your token on the way.",
                self.settings.api_url
            ));
        }
        Ok(client)
    }

    /// A client that can only log in.
    pub(crate) fn client_without_token(&self) -> Result<Client> {
        self.build(None)
    }

    fn build(&self, token: Option<String>) -> Result<Client> {
        Ok(Client::new(&Config {
            api_url: self.settings.api_url.clone(),
            token,
            authority: self.settings.authority.clone(),
            user_agent: format!("kigo-cli/{} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS),
        })?)
    }
}
