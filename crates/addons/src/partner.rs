//! The words that are exchanged with a partner (Heroku's Add-on Partner API, version 3), and what is
//! made of its answers. Sending them is somebody else's business.

use crate::{Contract, Definition};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// What both sides send.
pub const MEDIA_TYPE: &str = "application/vnd.heroku-addons+json; version=3";

/// A longer answer is not read.
pub const ANSWER_LIMIT: usize = 256 * 1024;
/// Bytes of all that a partner gives an app, and of what it says.
const CONFIG_LIMIT: usize = 32 * 1024;
const MESSAGE_LIMIT: usize = 2000;
const ID_LIMIT: usize = 512;

/// An order.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    pub uuid: String,
    pub name: String,
    pub plan: String,
    pub region: String,
    pub options: BTreeMap<String, String>,
    pub callback_url: String,
    pub oauth_grant: Grant,
    /// By which lines of the app's log are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_drain_token: Option<String>,
}

/// With it a partner gets a token for the add-on.
#[derive(Clone, Debug, Serialize)]
pub struct Grant {
    pub code: String,
    pub expires_at: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// What an answer says about an add-on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The partner's name for it.
    pub id: Option<String>,
    /// By what follows the prefix, `URL`; `None` if nothing was said.
    pub config: Option<BTreeMap<String, String>>,
    pub message: Option<String>,
    pub log_drain_url: Option<String>,
    /// It is not there yet; the partner tells when it is.
    pub later: bool,
}

/// Why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The partner will not do it. What it says is for the user.
    Refused(String),
    /// The answer breaks the contract: what came is not used, and it is not asked again.
    Broken(String),
    /// It may do it another time.
    Later(String),
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    config: Option<Vars>,
    #[serde(default)]
    log_drain_url: Option<String>,
}

/// Config vars, each of them once.
struct Vars(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Vars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Vars;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("config vars")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vars, A::Error> {
                let mut vars = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if vars.contains_key(&name) {
                        return Err(A::Error::custom(format!("the config var {name:?} is there twice")));
                    }
                    vars.insert(name, value);
                }
                Ok(Vars(vars))
            }
        }
        from.deserialize_map(Each)
    }
}

/// Partners of old have numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl Id {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// The answer to an order.
///
/// # Errors
/// When there will be no add-on, or not now.
pub fn ordered(contract: &Contract, definition: &Definition, answer: &Answer) -> Result<Given, Trouble> {
    success(answer, &[200, 201, 202])?;
    let given = read(contract, definition, answer)?;
    if given.id.is_none() {
        return Err(Trouble::Broken("its answer has no id".into()));
    }
    Ok(Given { later: answer.status == 202, ..given })
}

/// The answer to a change of plan.
///
/// # Errors
/// When the plan stays, or is not known to have changed.
pub fn changed(contract: &Contract, definition: &Definition, answer: &Answer) -> Result<Given, Trouble> {
    success(answer, &[200, 201, 202, 204])?;
    read(contract, definition, answer)
}

/// The answer when an add-on is given up. What the partner does not know is gone.
///
/// # Errors
/// When it is to be asked again.
pub fn given_up(answer: &Answer) -> Result<(), Trouble> {
    if matches!(answer.status, 200 | 201 | 202 | 204 | 404 | 410) {
        return Ok(());
    }
    success(answer, &[])
}

fn success(answer: &Answer, good: &[u16]) -> Result<(), Trouble> {
    let status = answer.status;
    match status {
        _ if good.contains(&status) => Ok(()),
        422 | 503 if message(answer).is_some() => Err(Trouble::Refused(message(answer).unwrap_or_default())),
        300..=399 => Err(Trouble::Broken(format!("it answered {status}, and redirects are not followed"))),
        // What a server says that is late, asked too often, or out of order.
        408 | 425 | 429 | 500..=599 => Err(Trouble::Later(format!("it answered {status}"))),
        _ => Err(Trouble::Broken(format!("it answered {status}"))),
    }
}

/// What the partner says to the user, on one line.
fn message(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let said: Said = serde_json::from_slice(&answer.body).ok()?;
    let text: String = said.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    let end = text.char_indices().nth(MESSAGE_LIMIT).map_or(text.len(), |(at, _)| at);
    Some(text[..end].to_owned()).filter(|text| !text.is_empty())
}

fn read(contract: &Contract, definition: &Definition, answer: &Answer) -> Result<Given, Trouble> {
    if answer.body.trim_ascii().is_empty() {
        return Ok(Given::default());
    }
    // A list would be read as an object's values in their order.
    if !answer.body.trim_ascii_start().starts_with(b"{") {
        return Err(Trouble::Broken("its answer is not what is expected: no JSON object".into()));
    }
    let body: Body = serde_json::from_slice(&answer.body)
        .map_err(|why| Trouble::Broken(format!("its answer is not what is expected: {why}")))?;
    let id = body.id.map(Id::text);
    if id.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(Trouble::Broken("the id in its answer is no word of at most 512 characters".into()));
    }
    let config = match body.config {
        Some(Vars(config)) => Some(declared(contract, definition, config).map_err(Trouble::Broken)?),
        None => None,
    };
    let log_drain_url = body.log_drain_url.filter(|_| contract.reads_logs);
    Ok(Given { id, config, message: message(answer), log_drain_url, later: false })
}

/// What the partner calls what it has made, also in an answer that is not good otherwise.
pub fn id_of(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: Id,
    }
    let named: Named = serde_json::from_slice(&answer.body).ok()?;
    Some(named.id.text()).filter(|id| (200..300).contains(&answer.status) && is_id(id))
}

/// A word that can stand in an address.
fn is_id(id: &str) -> bool {
    (1..=ID_LIMIT).contains(&id.len()) && id != "." && id != ".." && id.bytes().all(|b| b.is_ascii_graphic())
}

/// Config vars by what follows the prefix.
///
/// # Errors
/// With words for the partner, when one has a name that its manifest does not declare, or they are too
/// long.
pub fn declared(
    contract: &Contract,
    definition: &Definition,
    vars: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let size: usize = vars.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > CONFIG_LIMIT {
        return Err(format!("its config vars take {size} bytes, and at most {CONFIG_LIMIT} are taken"));
    }
    let start = format!("{}_", contract.prefix);
    let mut given = BTreeMap::new();
    for (name, value) in vars {
        let suffix = name.strip_prefix(&start).filter(|suffix| definition.config.contains_key(*suffix));
        let Some(suffix) = suffix else {
            let names = definition.config_names(&contract.prefix);
            let shown: String = name.chars().take(100).collect();
            return Err(format!(
                "its config var {shown:?} is not one that its manifest names: {}",
                names.join(", ")
            ));
        };
        if value.contains('\0') {
            return Err(format!("the value of its config var {name} has a NUL byte"));
        }
        given.insert(suffix.to_owned(), value);
    }
    Ok(given)
}

/// Where an add-on is found at its partner: `base_url` and its id.
pub fn place(base: &Url, id: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(id);
    }
    url
}

/// What lets a user into a dashboard: a hash of the id, the salt and the time (seconds since 1970).
pub fn sso_token(id: &str, salt: &str, timestamp: i64) -> String {
    hex::encode(Sha1::digest(format!("{id}:{salt}:{timestamp}").as_bytes()))
}

/// The same for this user alone.
pub fn sso_token_of_user(id: &str, salt: &str, timestamp: i64, user: &str, email: &str) -> String {
    hex::encode(Sha256::digest(format!("{id}:{salt}:{timestamp}:{user}:{email}").as_bytes()))
}

#[cfg(test)]
mod tests;
