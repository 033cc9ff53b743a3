//! The text of builds, release commands and scripts of setups, as the API hands it out.

use api::{ByteStream, OutputOf};
use async_trait::async_trait;
use reconcile::{OutputId, Outputs};
use std::io;

/// The loops' outputs behind the API's seam.
pub(crate) struct ApiOutputs(pub(crate) Outputs);

#[async_trait]
impl api::Outputs for ApiOutputs {
    async fn follow(&self, of: OutputOf, offset: u64) -> io::Result<Option<ByteStream>> {
        let id = match of {
            OutputOf::Build(id) => OutputId::Build(id),
            OutputOf::Release(id) => OutputId::Release(id),
            OutputOf::Setup(id) => OutputId::Setup(id),
        };
        Ok(self.0.follow(id, offset).await?.map(|stream| Box::pin(stream) as ByteStream))
    }
}
