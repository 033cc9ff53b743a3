//! Who is at an add-on's page.

use crate::Api;
use crate::signed::{self, Purpose};
use domain::{AccountId, AddonId};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

/// How long a link is good for (Heroku's figure).
const LINK: SignedDuration = SignedDuration::from_mins(5);
const SESSION: SignedDuration = SignedDuration::from_hours(1);
const COOKIE: &str = "kigo-addon";

/// Somebody at the page of one add-on.
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) addon: AddonId,
    token: String,
}

/// Where an add-on's page is.
pub(crate) fn path(addon: AddonId) -> String {
    format!("/addon-pages/{addon}")
}

/// The path of a link that lets somebody in at an add-on's page.
pub(crate) fn link(api: &Api, account: AccountId, addon: AddonId) -> String {
    format!("/addon-pages/enter/{}", sign(api, Purpose::Link, account, addon, LINK))
}

/// Whom a link lets in where.
pub(super) fn read_link(api: &Api, token: &str) -> Option<(AccountId, AddonId)> {
    read(api, Purpose::Link, token)
}

fn sign(api: &Api, purpose: Purpose, account: AccountId, addon: AddonId, life: SignedDuration) -> String {
    let expires = api.ops().now().checked_add(life).unwrap_or(Timestamp::MAX);
    signed::sign(api.log_key(), purpose, &format!("{addon}_{account}"), expires)
}

fn read(api: &Api, purpose: Purpose, token: &str) -> Option<(AccountId, AddonId)> {
    let subject: String = signed::verify(api.log_key(), purpose, token, api.ops().now())?;
    let (addon, account) = subject.split_once('_')?;
    Some((account.parse().ok()?, addon.parse().ok()?))
}

impl Session {
    pub(super) fn new(api: &Api, account: AccountId, addon: AddonId) -> Self {
        Self { account, addon, token: sign(api, Purpose::Session, account, addon, SESSION) }
    }

    /// The session that a browser has at this add-on's page.
    pub(super) fn of(api: &Api, headers: &HeaderMap, addon: AddonId) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut tokens = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        });
        tokens.find_map(|token| {
            let (account, of) = read(api, Purpose::Session, token)?;
            (of == addon).then(|| Self { account, addon, token: token.to_owned() })
        })
    }

    /// As the browser is to keep it.
    pub(super) fn cookie(&self, secure: bool) -> String {
        let secure = if secure { "; Secure" } else { "" };
        let (path, life) = (path(self.addon), SESSION.as_secs());
        format!("{COOKIE}={}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Lax{secure}", self.token)
    }

    /// The word that forms of this session carry.
    pub(super) fn form(&self, api: &Api) -> String {
        signed::sign(api.log_key(), Purpose::Form, &self.subject(), Timestamp::MAX)
    }

    /// Whether a form carries it.
    pub(super) fn owns_form(&self, api: &Api, word: &str) -> bool {
        let given: Option<String> = signed::verify(api.log_key(), Purpose::Form, word, api.ops().now());
        given == Some(self.subject())
    }

    /// Unlike that of any other session: what the cookie's signature ends with, which has no dots.
    fn subject(&self) -> String {
        self.token.rsplit('.').next().unwrap_or_default().to_owned()
    }
}
