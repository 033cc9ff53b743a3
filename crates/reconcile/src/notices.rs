//! Tells people bad news of their backups, until it was taken.
//!
//! Each row is one piece of news for one reader; it is forgotten once that has taken it. A server that is killed
//! in between tells it again, under the same id.

use crate::Settings;
use crate::driver::{Loop, Turn};
use crate::error::Result;
use crate::reach::Reach;
use crate::send::{self, Post};
use async_trait::async_trait;
use domain::{Notice, Reader};
use ops::Ops;
use ops::notices::Letter;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Readers that are told at the same time.
const AT_ONCE: usize = 8;

/// Where whoever runs this server is told. The address may hold a secret: no `Debug` shows it.
#[derive(Clone, PartialEq, Eq)]
pub enum Operator {
    Mail(String),
    Webhook(String),
}

impl Operator {
    /// An address of a webhook or of a person.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        if text.contains("://") {
            let url = text.parse::<reqwest::Url>().ok();
            return match url.filter(|url| matches!(url.scheme(), "http" | "https")) {
                Some(_) => Ok(Self::Webhook(text.to_owned())),
                None => Err("is no address like https://example.com/hook".into()),
            };
        }
        let address = text.strip_prefix("mailto:").unwrap_or(text);
        if send::is_address(address) {
            return Ok(Self::Mail(address.to_owned()));
        }
        Err("is neither an address like https://example.com/hook nor an e-mail address".into())
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mail(_) => "Mail",
            Self::Webhook(_) => "Webhook",
        })
    }
}

/// The loop.
pub(crate) struct Notices {
    pub(crate) ops: Ops,
    pub(crate) settings: Arc<Settings>,
}

#[async_trait]
impl Loop for Notices {
    fn name(&self) -> &'static str {
        "notices"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let all = store::notices::list(&mut self.ops.store().read().await?).await?;
        let now = self.ops.now();
        let (due, later): (Vec<_>, Vec<_>) =
            all.iter().partition(|notice| notice.retry_at.is_none_or(|at| at <= now));
        // One reader who does not answer must not keep the others waiting; what is left is due at once.
        let telling = due.iter().take(AT_ONCE).map(|notice| self.tell(notice));
        let outcomes = futures_util::future::join_all(telling).await;
        outcomes.into_iter().collect::<Result<Vec<()>>>()?;
        let rest = (due.len() > AT_ONCE).then_some(now);
        let next = later.iter().filter_map(|notice| notice.retry_at).chain(rest).min();
        Ok(Turn { detail: json!({ "waiting": all.len() }), next })
    }
}

impl Notices {
    async fn tell(&self, notice: &Notice) -> Result<()> {
        let Some(letter) = ops::notices::letter(&self.ops, notice).await? else {
            return Ok(ops::notices::forget(&self.ops, notice.id).await?);
        };
        let told = match (notice.to, &self.settings.operator) {
            (Reader::Account(_), _) => self.mail(&letter, letter.email.as_deref().unwrap_or_default()).await,
            (Reader::Operator, Some(Operator::Mail(address))) => self.mail(&letter, address).await,
            (Reader::Operator, Some(Operator::Webhook(address))) => {
                let body = payload(&letter).to_string();
                let post = Post { id: notice.id.0, content_type: "application/json", body };
                // The operator's own word, so the own network is no secret.
                send::post(address, post, &Reach::everywhere()).await
            }
            (Reader::Operator, None) => return Ok(ops::notices::forget(&self.ops, notice.id).await?),
        };
        match told {
            Ok(()) => ops::notices::told(&self.ops, &letter).await?,
            Err(why) => {
                let subject = &notice.subject;
                tracing::warn!(notice = %notice.id, subject, why, "somebody could not be told of a backup");
                let again = planner::notices::retry_at(notice, self.ops.now());
                ops::notices::not_told(&self.ops, &letter, &why, again).await?;
            }
        }
        Ok(())
    }

    async fn mail(&self, letter: &Letter, to: &str) -> std::result::Result<(), String> {
        let Notice { id, subject, text, .. } = &letter.notice;
        let (subject, text) = (subject.clone(), text.clone());
        send::mail(self.settings.mail.as_ref(), send::Letter { id: id.0, to, subject, text }).await
    }
}

/// What a webhook is told. `text` is what chat programs show.
fn payload(letter: &Letter) -> Value {
    let notice = &letter.notice;
    json!({
        "id": notice.id.to_string(),
        "event": notice.kind.as_str(),
        "text": format!("{}\n\n{}", notice.subject, notice.text),
        "app": { "id": notice.app.to_string(), "name": letter.app.as_ref().map(|app| app.name.to_string()) },
        "addon": notice.addon,
        "backup": letter.transfer.as_ref().map(domain::Transfer::name),
        "created_at": notice.created_at.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::Operator;

    #[test]
    fn an_operator_is_reached_by_mail_or_a_webhook() {
        for (text, operator) in [
            ("ops@example.com", Some(Operator::Mail("ops@example.com".into()))),
            ("mailto:ops@example.com", Some(Operator::Mail("ops@example.com".into()))),
            ("https://example.com/hook?a=b", Some(Operator::Webhook("https://example.com/hook?a=b".into()))),
            ("http://127.0.0.1:9", Some(Operator::Webhook("http://127.0.0.1:9".into()))),
            ("ftp://example.com/", None),
            ("https://", None),
            ("nobody", None),
            ("", None),
        ] {
            assert_eq!(Operator::parse(text).ok(), operator, "{text}");
        }
        assert_eq!(format!("{:?}", Operator::Webhook("https://a.example/secret".into())), "Webhook");
    }
}
