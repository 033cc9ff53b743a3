//! The images of the registry that a build may begin from: those that whoever started it may pull.

use async_trait::async_trait;
use builder::{Bases, BuildError};
use domain::{AccountId, Digest, Reference, RepositoryName};
use ops::{Actor, Ops};
use std::fmt;

/// The registry as one account sees it.
pub(crate) struct OfAccount {
    pub(crate) ops: Ops,
    pub(crate) account: AccountId,
}

impl fmt::Debug for OfAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfAccount").field("account", &self.account).finish_non_exhaustive()
    }
}

#[async_trait]
impl Bases for OfAccount {
    fn hosts(&self) -> Vec<String> {
        let origin = &self.ops.settings().api_origin;
        vec![origin.split_once("://").map_or(origin.as_str(), |(_, host)| host).to_owned()]
    }

    async fn find(&self, name: &RepositoryName, reference: &Reference) -> Result<Option<Digest>, BuildError> {
        let found = async {
            let account = store::accounts::by_id(&mut self.ops.store().read().await?, self.account).await?;
            let Some(account) = account else { return Ok(None) };
            let actor = Actor { account, authorization: None };
            match ops::registry::manifest(&self.ops, &actor, name, reference).await {
                Ok(manifest) => Ok(Some(manifest.digest)),
                Err(ops::Error::NotFound { .. } | ops::Error::Forbidden(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        found.await.map_err(|error: ops::Error| BuildError::System {
            doing: "looking an image up in the registry".into(),
            source: std::io::Error::other(error),
        })
    }
}
