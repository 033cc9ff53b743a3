//! Alerts by e-mail.

use super::Mail;
use super::message::Message;
use super::words;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

const TOTAL: Duration = Duration::from_secs(30);

/// Sends an alert.
pub(super) async fn send(mail: Option<&Mail>, to: &str, message: &Message<'_>) -> Result<(), String> {
    let mail = mail.ok_or("this server has no mail server any more (mail.server)")?;
    let address = |text: &str| text.parse().map_err(|_| format!("{text:?} is no e-mail address"));
    let letter = lettre::Message::builder()
        .from(address(&mail.from)?)
        .to(address(to)?)
        .message_id(Some(format!("<{}@kigo.invalid>", message.batch.id)))
        .subject(message.subject())
        .header(ContentType::TEXT_PLAIN)
        .body(message.text())
        .map_err(|error| words(&error))?;
    let transport = transport(mail)?;
    let sent = tokio::time::timeout(TOTAL, transport.send(letter)).await;
    sent.map_err(|_| "the mail server took too long".to_owned())?.map(drop).map_err(|error| words(&error))
}

/// Looks at the settings.
pub(super) fn check(mail: &Mail) -> Result<(), String> {
    let from: Result<lettre::message::Mailbox, _> = mail.from.parse();
    from.map_err(|_| format!("mail.from is no e-mail address: {:?}", mail.from))?;
    transport(mail).map(drop)
}

/// The server, as its address says.
fn transport(mail: &Mail) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&mail.server);
    let builder =
        builder.map_err(|error| format!("mail.server is no address of a mail server: {}", words(&error)))?;
    Ok(builder.timeout(Some(Duration::from_secs(10))).build())
}
