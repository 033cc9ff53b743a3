//! Bad news that has to reach people: rows that a loop tells by mail or a webhook and forgets once somebody
//! has taken them. None of these takes an actor.
//!
//! Mail goes to all who may see the app, where there is a mail server; besides, whoever runs the installation
//! is told where the settings say.

use crate::{AppRef, Ops, Result};
use domain::{App, AppId, Collaborator, LogLine, Notice, NoticeId, NoticeKind, Reader, Transfer, TransferId};
use jiff::Timestamp;
use store::{Tx, Write};

/// What happened.
pub(crate) struct News {
    pub(crate) kind: NoticeKind,
    pub(crate) app: AppId,
    pub(crate) transfer: Option<TransferId>,
    pub(crate) addon: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// One that can be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub notice: Notice,
    /// For a mail to somebody who may see the app.
    pub email: Option<String>,
    /// The app, if it is still there.
    pub app: Option<AppRef>,
    /// The backup that it is about, if that is still there.
    pub transfer: Option<Transfer>,
}

impl Letter {
    /// Who is told, in words.
    fn reader(&self) -> &str {
        self.email.as_deref().unwrap_or("who runs this server")
    }
}

/// Has news told to all whom it concerns, in the transaction that makes it so.
pub(crate) async fn add(ops: &Ops, write: &mut Write, news: News) -> Result<()> {
    let mut readers = Vec::new();
    if ops.settings().sends_mail {
        let people = store::collaborators::list(write, news.app).await?;
        readers.extend(people.iter().map(|person: &Collaborator| Reader::Account(person.account)));
    }
    if ops.settings().tells_operator {
        readers.push(Reader::Operator);
    }
    for to in readers {
        let notice = Notice {
            id: NoticeId::new(),
            kind: news.kind,
            to,
            app: news.app,
            transfer: news.transfer,
            addon: news.addon.clone(),
            subject: news.subject.clone(),
            text: news.text.clone(),
            attempts: 0,
            retry_at: None,
            created_at: ops.now(),
        };
        store::notices::insert(write, &notice).await?;
    }
    Ok(())
}

/// What there is to know for telling one. `None` if its reader is not to be told any more: the account is
/// gone, or may not see the app now.
pub async fn letter(ops: &Ops, notice: &Notice) -> Result<Option<Letter>> {
    let mut tx = ops.store().read().await?;
    let email = match notice.to {
        Reader::Operator => None,
        Reader::Account(id) if store::collaborators::has(&mut tx, notice.app, id).await? => {
            let Some(account) = store::accounts::by_id(&mut tx, id).await? else { return Ok(None) };
            Some(account.email)
        }
        Reader::Account(_) => return Ok(None),
    };
    let app = app(&mut tx, notice.app).await?.as_ref().map(AppRef::from);
    let transfer = match notice.transfer {
        Some(id) => store::transfers::by_id(&mut tx, id).await?,
        None => None,
    };
    Ok(Some(Letter { notice: notice.clone(), email, app, transfer }))
}

async fn app(tx: &mut Tx, id: AppId) -> Result<Option<App>> {
    Ok(store::apps::by_id(tx, id).await?)
}

/// One need not be told any more.
pub async fn forget(ops: &Ops, id: NoticeId) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::notices::delete(&mut write, id).await?;
    Ok(write.commit().await?)
}

/// One was taken.
pub async fn told(ops: &Ops, letter: &Letter) -> Result<()> {
    let mut write = ops.store().write().await?;
    store::notices::delete(&mut write, letter.notice.id).await?;
    let line = format!("Told {} about it.", letter.reader());
    note(ops, &mut write, &letter.notice, &line).await?;
    Ok(write.commit().await?)
}

/// An attempt to tell one failed. It is repeated then, or for `None` given up. The backup's own lines tell
/// the first failure, and the app's log the end.
pub async fn not_told(ops: &Ops, letter: &Letter, why: &str, retry_at: Option<Timestamp>) -> Result<()> {
    let mut write = ops.store().write().await?;
    let Some(mut notice) = store::notices::by_id(&mut write, letter.notice.id).await? else { return Ok(()) };
    let first = notice.attempts == 0;
    notice.attempts = notice.attempts.saturating_add(1);
    notice.retry_at = retry_at;
    let reader = letter.reader();
    if retry_at.is_some() {
        store::notices::update(&mut write, &notice).await?;
        if first {
            let line = format!("Could not tell {reader} about it, which is tried again: {why}");
            note(ops, &mut write, &notice, &line).await?;
        }
        return Ok(write.commit().await?);
    }
    store::notices::delete(&mut write, notice.id).await?;
    let line = format!("Could not tell {reader} about it, and gave up: {why}");
    note(ops, &mut write, &notice, &line).await?;
    let (logging, app) = (ops.clone(), notice.app);
    let line = format!("Could not tell {reader} and gave up ({why}): {}", notice.subject);
    let tell = move || logging.inner.log.log(app, LogLine::heroku(logging.now(), "backups", line));
    Ok(write.commit_then(tell).await?)
}

/// Adds to what the backup has to tell, if it is about one that is there.
async fn note(ops: &Ops, write: &mut Write, notice: &Notice, line: &str) -> Result<()> {
    let Some(id) = notice.transfer else { return Ok(()) };
    if store::transfers::by_id(write, id).await?.is_some() {
        crate::transfers::line(ops, write, id, line).await?;
    }
    Ok(())
}
