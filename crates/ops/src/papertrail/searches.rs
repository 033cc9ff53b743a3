//! Searches that are kept by name.

use super::{SEARCHES, find};
use crate::{Actor, Error, Ops, Permission, Result, text};
use domain::papertrail::{Alert, Period, Recipient, Search};
use domain::{Addon, LogQuery, SearchId};
use store::Tx;
use url::Url;

/// A search as it is asked for; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub name: Option<String>,
    pub query: Option<String>,
    /// `Some(None)`: it sends nothing any more.
    pub alert: Option<Option<AlertSet>>,
    /// The last line that there is now: alerts are about later ones.
    pub seen: u64,
}

/// An alert as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSet {
    pub every: String,
    pub webhook: Option<String>,
    pub email: Option<String>,
}

/// An app's, by name. Their addresses may be secrets.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<Search>> {
    let mut tx = ops.store().read().await?;
    let (_, addon) = find(ops, &mut tx, actor, app, Permission::ReadProtected).await?;
    Ok(store::papertrail::of_addon(&mut tx, addon.id).await?)
}

/// Adds one.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, input: Set) -> Result<Search> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    if store::papertrail::of_addon(&mut write, addon.id).await?.len() >= SEARCHES {
        return Err(Error::invalid(format!("An app can't have more than {SEARCHES} searches.")));
    }
    if input.name.is_none() || input.query.is_none() {
        return Err(Error::invalid("The search's name or query is missing."));
    }
    let now = ops.now();
    let mut search = Search {
        id: SearchId::new(),
        addon: addon.id,
        name: String::new(),
        query: LogQuery::parse("")?,
        alert: None,
        created_at: now,
        updated_at: now,
    };
    apply(ops, &mut write, &mut search, input).await?;
    store::papertrail::set(&mut write, &search).await?;
    let line = text::by(&actor.account, format!("Add search {:?}", search.name));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(search)
}

/// Changes one, by name or id.
pub async fn update(ops: &Ops, actor: &Actor, app: &str, search: &str, input: Set) -> Result<Search> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    let mut search = find_search(&mut write, &addon, search).await?;
    let before = search.clone();
    apply(ops, &mut write, &mut search, input).await?;
    let mut lines = Vec::new();
    if search != before {
        search.updated_at = ops.now();
        store::papertrail::set(&mut write, &search).await?;
        lines.push(text::by(&actor.account, format!("Update search {:?}", search.name)));
    }
    ops.commit(write, app.id, lines).await?;
    Ok(search)
}

/// Removes one, by name or id. What it has found and not sent is not sent.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, search: &str) -> Result<Search> {
    let mut write = ops.store().write().await?;
    let (app, addon) = find(ops, &mut write, actor, app, Permission::WriteProtected).await?;
    let search = find_search(&mut write, &addon, search).await?;
    store::papertrail::delete(&mut write, search.id).await?;
    let line = text::by(&actor.account, format!("Remove search {:?}", search.name));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(search)
}

async fn find_search(tx: &mut Tx, addon: &Addon, identity: &str) -> Result<Search> {
    let searches = store::papertrail::of_addon(tx, addon.id).await?;
    let is = |search: &Search| search.name == identity || search.id.to_string() == identity;
    searches.into_iter().find(is).ok_or_else(|| Error::not_found("search"))
}

async fn apply(ops: &Ops, tx: &mut Tx, search: &mut Search, input: Set) -> Result<()> {
    if let Some(name) = &input.name {
        text::check("Name", name.trim(), 100, &[])?;
        name.trim().clone_into(&mut search.name);
    }
    let others = store::papertrail::of_addon(tx, search.addon).await?;
    if others.iter().any(|other| other.name == search.name && other.id != search.id) {
        return Err(Error::Conflict(format!("There is a search {:?} already.", search.name)));
    }
    let before = search.query.clone();
    if let Some(query) = &input.query {
        search.query = LogQuery::parse(query)?;
    }
    if let Some(wanted) = input.alert {
        let now = ops.now();
        let blank = |(period, to)| Alert {
            period,
            to,
            seen: input.seen,
            checked_at: now,
            batch: None,
            sent_at: None,
            failure: None,
        };
        search.alert = match (wanted.map(|wanted| check(ops, &wanted)).transpose()?, search.alert.take()) {
            (None, _) => None,
            (Some(wanted), None) => Some(blank(wanted)),
            // It goes on where it was.
            (Some((period, to)), Some(alert)) => Some(Alert { period, to, ..alert }),
        };
    }
    if let Some(alert) = &mut search.alert
        && before != search.query
    {
        // What the old query had found, the new one may not.
        (alert.seen, alert.batch) = (alert.seen.max(input.seen), None);
    }
    if search.alert.is_some() && search.query == LogQuery::parse("")? {
        return Err(Error::invalid("An alert about every line there is would be none. Give a query."));
    }
    Ok(())
}

fn check(ops: &Ops, wanted: &AlertSet) -> Result<(Period, Recipient)> {
    let period = Period::parse(&wanted.every)?;
    let to = match (&wanted.webhook, &wanted.email) {
        (Some(webhook), None) => Recipient::Webhook(check_webhook(webhook)?),
        (None, Some(email)) => {
            if !ops.settings().sends_mail {
                return Err(Error::invalid(
                    "This server can't send e-mail: whoever runs it has to set mail.server and mail.from. Use a webhook.",
                ));
            }
            Recipient::Email(check_email(email)?)
        }
        _ => return Err(Error::invalid("An alert goes to one webhook or to one e-mail address.")),
    };
    Ok((period, to))
}

fn check_webhook(address: &str) -> Result<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = url.as_ref().and_then(Url::host_str);
    if address.len() > 2048 || host.is_none_or(str::is_empty) {
        return Err(Error::invalid(
            "The webhook's address must begin with https:// or http://, and name a host.",
        ));
    }
    Ok(address.to_owned())
}

/// The one who sends looks closer.
fn check_email(address: &str) -> Result<String> {
    let address = address.trim();
    let parts = address.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
    let plain = address.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"<>,;\"".contains(c));
    if parts.is_none() || !plain || address.len() > 254 {
        return Err(Error::invalid(format!("{address:?} is no e-mail address.")));
    }
    Ok(address.to_owned())
}
