//! Who follows another add-on lets in whom that lets in.

use super::refresh;
use crate::addons::followers;
use crate::{Ops, Result};
use domain::{AddonId, AddonState, AppId, Credential, CredentialId};
use store::{Tx, Write};

/// Gives an add-on's followers a credential as it is now, and the apps that are attached with it.
pub(super) async fn learn(
    ops: &Ops,
    write: &mut Write,
    credential: &Credential,
) -> Result<Vec<(AppId, Vec<String>)>> {
    let mut said = Vec::new();
    for follower in followers(write, credential.addon).await? {
        let active = follower.state == AddonState::Provisioned;
        let known = store::credentials::by_name(write, follower.id, &credential.name).await?;
        let new = Credential {
            id: known.as_ref().map_or_else(CredentialId::new, |known| known.id),
            addon: follower.id,
            active,
            ..credential.clone()
        };
        match known {
            Some(_) => store::credentials::update(write, &new).await?,
            None => store::credentials::insert(write, &new).await?,
        }
        said.extend(refresh(ops, write, &new).await?);
    }
    Ok(said)
}

/// Takes a credential away from an add-on's followers.
pub(super) async fn forget(write: &mut Write, credential: &Credential) -> Result<()> {
    for follower in followers(write, credential.addon).await? {
        if let Some(known) = store::credentials::by_name(write, follower.id, &credential.name).await? {
            store::credentials::delete(write, known.id).await?;
        }
    }
    Ok(())
}

/// An add-on and those that follow it.
pub(super) async fn family(tx: &mut Tx, addon: AddonId) -> Result<Vec<AddonId>> {
    let followers = followers(tx, addon).await?;
    Ok(std::iter::once(addon).chain(followers.into_iter().map(|one| one.id)).collect())
}
