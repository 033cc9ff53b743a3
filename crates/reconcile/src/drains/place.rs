//! How far a drain has got, on disk: after a restart it goes on from there.

use crate::error::{Error, Result};
use domain::DrainId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A drain's place in its app's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The last line that needs nothing more.
    pub(super) after: u64,
    /// Lines that were lost, and that the drain was not told of yet.
    pub(super) lost: u64,
    /// When the first of them was.
    pub(super) since: Option<Timestamp>,
}

impl Place {
    /// Counts lines as lost.
    pub(super) fn lose(&mut self, count: u64, now: Timestamp) {
        if count > 0 {
            self.lost += count;
            self.since.get_or_insert(now);
        }
    }

    /// The drain has been told of what was lost.
    pub(super) fn told(&mut self) {
        (self.lost, self.since) = (0, None);
    }
}

/// The places of all drains: a small file for each.
#[derive(Clone, Debug)]
pub(super) struct Places(PathBuf);

impl Places {
    pub(super) fn new(data: &Path) -> Self {
        Self(data.join("drains"))
    }

    /// Where a drain was; `None` for a new one, and for one whose file was damaged.
    pub(super) async fn load(&self, drain: DrainId) -> Result<Option<Place>> {
        match tokio::fs::read(self.0.join(drain.to_string())).await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read a drain's place")(error)),
        }
    }

    /// Takes the place down. A loss of power may take some seconds back, which are then sent twice.
    pub(super) async fn save(&self, drain: DrainId, place: &Place) -> Result<()> {
        let path = self.0.join(drain.to_string());
        let draft = path.with_extension("tmp");
        let bytes = serde_json::to_vec(place).unwrap_or_default();
        let write = async {
            tokio::fs::create_dir_all(&self.0).await?;
            tokio::fs::write(&draft, bytes).await?;
            tokio::fs::rename(&draft, &path).await
        };
        write.await.map_err(Error::io("take down a drain's place"))
    }

    /// Forgets all other drains.
    pub(super) async fn keep(&self, drains: &HashSet<DrainId>) -> Result<()> {
        let mut entries = match tokio::fs::read_dir(&self.0).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list drains' places")(error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(Error::io("list drains' places"))? {
            let path = entry.path();
            let id = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            if id.is_none_or(|id| !drains.contains(&id)) {
                tokio::fs::remove_file(&path).await.map_err(Error::io("forget a drain's place"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_kept_until_their_drain_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places::new(dir.path());
        let (one, two) = (DrainId::new(), DrainId::new());
        assert_eq!(places.load(one).await.unwrap(), None);
        places.keep(&HashSet::new()).await.unwrap();
        let now = Timestamp::from_second(7).unwrap();
        let mut place = Place { after: 12, ..Place::default() };
        place.lose(0, now);
        assert_eq!((place.lost, place.since), (0, None));
        place.lose(3, now);
        place.lose(2, Timestamp::from_second(8).unwrap());
        assert_eq!((place.lost, place.since), (5, Some(now)));
        for drain in [one, two] {
            places.save(drain, &place).await.unwrap();
        }
        assert_eq!(places.load(one).await.unwrap(), Some(place));
        places.keep(&HashSet::from([two])).await.unwrap();
        assert_eq!((places.load(one).await.unwrap(), places.load(two).await.unwrap()), (None, Some(place)));
        std::fs::write(dir.path().join("drains").join(two.to_string()), "{").unwrap();
        assert_eq!(places.load(two).await.unwrap(), None);
    }
}
