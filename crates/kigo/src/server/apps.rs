//! How apps look, for the loop that tells webhooks: the API's shapes behind the loops' seam.

use async_trait::async_trait;
use domain::AppId;
use ops::Ops;
use ops::webhooks::Seen;

/// Apps as the API shows them.
pub(crate) struct Apps {
    pub(crate) ops: Ops,
    pub(crate) config: api::Config,
}

#[async_trait]
impl reconcile::Show for Apps {
    async fn app(&self, app: AppId) -> Result<Vec<Seen>, ops::Error> {
        api::snapshot(&self.ops, &self.config, app).await
    }
}
