//! What a database has to do with others, and how far back it can be had.

use super::access_of;
use crate::Result;
use crate::addons::followers;
use ::addons::Definition;
use domain::{Addon, Archive, DatabaseAccess, OriginKind};
use store::Tx;

/// Addresses have no user and no password in them: who may see one database may not see all of them.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    /// The address of what it was forked from, as long as that is there.
    pub forked_from: Option<String>,
    pub following: Option<Leader>,
    /// Addresses of those that follow it.
    pub followers: Vec<String>,
    /// What is kept of its past, if anything.
    pub archive: Option<Archive>,
}

/// What a follower follows.
#[derive(Clone, Debug)]
pub struct Leader {
    /// The add-on's name.
    pub name: String,
    pub address: String,
    /// `None` while it is not there.
    pub access: Option<DatabaseAccess>,
}

pub(super) async fn of(tx: &mut Tx, service: &Definition, addon: &Addon) -> Result<Relations> {
    let mut relations =
        Relations { archive: store::archives::of_addon(tx, addon.id).await?, ..Relations::default() };
    for follower in followers(tx, addon.id).await? {
        relations.followers.extend(access_of(tx, service, &follower).await?.as_ref().map(address));
    }
    let Some(origin) = store::origins::of_addon(tx, addon.id).await? else { return Ok(relations) };
    let source = store::addons::by_id(tx, origin.source).await?.filter(|source| source.state.is_there());
    let access = match &source {
        Some(source) => access_of(tx, service, source).await?,
        None => None,
    };
    let place = access.as_ref().map(address);
    match origin.kind {
        OriginKind::Fork => relations.forked_from = place,
        OriginKind::Follow => {
            let name = source.map_or_else(|| "an add-on that is gone".to_owned(), |source| source.name);
            let address = place.unwrap_or_else(|| "postgres://gone/gone".to_owned());
            relations.following = Some(Leader { name, address, access });
        }
    }
    Ok(relations)
}

fn address(access: &DatabaseAccess) -> String {
    format!("postgres://{}/{}", access.address, access.database)
}
