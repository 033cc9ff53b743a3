//! By mail.

use crate::error::chain;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;
use uuid::Uuid;

const TOTAL: Duration = Duration::from_secs(30);

/// A mail server.
#[derive(Clone, PartialEq)]
pub struct Mail {
    /// `smtps://user:password@host:465`, `smtp://host:25?tls=required` and the like.
    pub server: String,
    /// Who mails are from.
    pub from: String,
}

impl Mail {
    /// Looks whether mails could be sent; the error is for whoever runs this server.
    pub fn check(&self) -> Result<(), String> {
        let from: Result<lettre::message::Mailbox, _> = self.from.parse();
        from.map_err(|_| format!("mail.from is no e-mail address: {:?}", self.from))?;
        transport(self).map(drop)
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address holds a password.
        f.debug_struct("Mail").field("from", &self.from).finish_non_exhaustive()
    }
}

/// One mail.
pub(crate) struct Letter<'a> {
    /// The same in every attempt to send it.
    pub(crate) id: Uuid,
    pub(crate) to: &'a str,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// Whether this is an address that mails can be sent to.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<lettre::message::Mailbox>().is_ok()
}

/// Sends a mail.
pub(crate) async fn send(mail: Option<&Mail>, letter: Letter<'_>) -> Result<(), String> {
    let mail = mail.ok_or("this server has no mail server any more (mail.server)")?;
    let address = |text: &str| text.parse().map_err(|_| format!("{text:?} is no e-mail address"));
    let message = lettre::Message::builder()
        .from(address(&mail.from)?)
        .to(address(letter.to)?)
        .message_id(Some(format!("<{}@kigo.invalid>", letter.id)))
        .subject(letter.subject)
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text)
        .map_err(|error| chain(&error))?;
    let transport = transport(mail)?;
    let sent = tokio::time::timeout(TOTAL, transport.send(message)).await;
    sent.map_err(|_| "the mail server took too long".to_owned())?.map(drop).map_err(|error| chain(&error))
}

/// The server, as its address says.
fn transport(mail: &Mail) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&mail.server);
    let builder =
        builder.map_err(|error| format!("mail.server is no address of a mail server: {}", chain(&error)))?;
    Ok(builder.timeout(Some(Duration::from_secs(10))).build())
}
