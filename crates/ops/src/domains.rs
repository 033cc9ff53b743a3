//! Host names of apps: the default one, which follows the app's name, and custom ones.

use crate::{Actor, AppRef, Error, Ops, Result, access, text};
use domain::{App, Domain, DomainId};
use store::Write;
use url::Host;

/// A domain with the app it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainInfo {
    pub domain: Domain,
    pub app: AppRef,
}

/// An app's domains, the default one first.
pub async fn list(ops: &Ops, actor: &Actor, app: &str) -> Result<Vec<DomainInfo>> {
    let mut tx = ops.store().read().await?;
    let app = access::read(&mut tx, actor, app).await?;
    let domains = store::domains::list(&mut tx, app.id).await?;
    Ok(domains.into_iter().map(|domain| DomainInfo { domain, app: (&app).into() }).collect())
}

/// One domain by id or host name.
pub async fn info(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<DomainInfo> {
    let domains = list(ops, actor, app).await?;
    domains.into_iter().find(|info| is(&info.domain, identity)).ok_or_else(|| Error::not_found("domain"))
}

/// Adds a custom domain; a leading `*.` makes it a wildcard.
pub async fn create(ops: &Ops, actor: &Actor, app: &str, hostname: &str) -> Result<DomainInfo> {
    let hostname = check_hostname(hostname, &ops.settings().base_domain)?;
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let domains = store::domains::list(&mut write, app.id).await?;
    if domains.iter().any(|domain| domain.hostname == hostname) {
        return Err(Error::invalid("Domain already added to this app."));
    }
    if store::domains::by_hostname(&mut write, &hostname).await?.is_some() {
        return Err(Error::invalid(format!("{hostname} is currently in use by another app.")));
    }
    if domains.iter().filter(|domain| domain.custom).count() >= ops.settings().max_domains {
        return Err(Error::invalid(format!(
            "An app can have at most {} custom domains.",
            ops.settings().max_domains
        )));
    }
    let domain = new(ops, &app, hostname, true);
    store::domains::insert(&mut write, &domain).await?;
    let line = text::by(&actor.account, format!("Add {} domain", domain.hostname));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(DomainInfo { domain, app: (&app).into() })
}

/// Removes a custom domain.
pub async fn destroy(ops: &Ops, actor: &Actor, app: &str, identity: &str) -> Result<DomainInfo> {
    let mut write = ops.store().write().await?;
    let app = access::write(&mut write, actor, app).await?;
    let domains = store::domains::list(&mut write, app.id).await?;
    let domain = domains.into_iter().find(|domain| is(domain, identity));
    let domain = domain.ok_or_else(|| Error::not_found("domain"))?;
    if !domain.custom {
        return Err(Error::invalid("The default domain of an app can't be removed."));
    }
    store::domains::delete(&mut write, domain.id).await?;
    let line = text::by(&actor.account, format!("Remove {} domain", domain.hostname));
    ops.commit(write, app.id, vec![line]).await?;
    Ok(DomainInfo { domain, app: (&app).into() })
}

/// Fits every app's default domain to the base domain of the settings, which may have changed since
/// the server last ran. Called at its start.
pub async fn refresh_defaults(ops: &Ops) -> Result<()> {
    let mut write = ops.store().write().await?;
    for app in store::apps::list(&mut write).await? {
        rename_default(ops, &mut write, &app).await?;
    }
    Ok(write.commit().await?)
}

/// Adds the default domain of a new app.
pub(crate) async fn insert_default(ops: &Ops, write: &mut Write, app: &App) -> Result<()> {
    let hostname = default_hostname(ops, app);
    make_room(write, &hostname, app).await?;
    Ok(store::domains::insert(write, &new(ops, app, hostname, false)).await?)
}

/// Fits the default domain to the app's name.
pub(crate) async fn rename_default(ops: &Ops, write: &mut Write, app: &App) -> Result<()> {
    let hostname = default_hostname(ops, app);
    let domains = store::domains::list(write, app.id).await?;
    if let Some(domain) = domains.into_iter().find(|domain| !domain.custom && domain.hostname != hostname) {
        make_room(write, &hostname, app).await?;
        let domain = Domain { hostname, updated_at: ops.now(), ..domain };
        store::domains::update(write, &domain).await?;
    }
    Ok(())
}

/// A custom domain that was added under another base domain may stand in a default domain's way; a
/// name that is free as an app's must be free as a host's.
async fn make_room(write: &mut Write, hostname: &str, app: &App) -> Result<()> {
    match store::domains::by_hostname(write, hostname).await? {
        Some(other) if other.custom => Ok(store::domains::delete(write, other.id).await?),
        Some(other) if other.app != app.id => Err(Error::invalid(format!("{hostname} is already taken"))),
        _ => Ok(()),
    }
}

fn default_hostname(ops: &Ops, app: &App) -> String {
    format!("{}.{}", app.name, ops.settings().base_domain)
}

fn new(ops: &Ops, app: &App, hostname: String, custom: bool) -> Domain {
    let now = ops.now();
    Domain { id: DomainId::new(), app: app.id, hostname, custom, created_at: now, updated_at: now }
}

fn is(domain: &Domain, identity: &str) -> bool {
    domain.id.to_string() == identity || domain.hostname == identity.to_lowercase()
}

/// Turns what a user typed into the name that requests carry: lower case, IDNA, no dot at the end.
fn check_hostname(text: &str, base: &str) -> Result<String> {
    let bad = || Error::invalid(format!("{text:?} is not a valid host name."));
    let text = text.trim().trim_end_matches('.');
    let (wildcard, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    let Ok(Host::Domain(name)) = Host::parse(name) else { return Err(bad()) };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.len() > 253 || !name.contains('.') || !name.split('.').all(label) {
        return Err(bad());
    }
    if name == base || name.ends_with(&format!(".{base}")) {
        return Err(Error::invalid(format!("Domains under {base} belong to the apps of those names.")));
    }
    Ok(format!("{wildcard}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for (text, kept) in [
            ("www.Example.com", "www.example.com"),
            ("example.com.", "example.com"),
            ("*.example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(check_hostname(text, "localhost").unwrap(), kept);
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in [
            "",
            "com",
            "a b.com",
            "-a.com",
            "a-.com",
            "a..com",
            "1.2.3.4",
            "[::1]",
            "http://a.com",
            "a.com/x",
            "a.com:80",
            "*.*.com",
            "a_b.com",
            "x.localhost",
            "*.localhost",
            &long,
        ] {
            assert!(check_hostname(bad, "localhost").is_err(), "{bad}");
        }
    }
}
