//! Seams that keep what they are given in memory.

use api::{
    Blobs, ByteStream, DatabaseError, Databases, OutputOf, Outputs, Runnable, ServerOf, Stored, StoredSlug,
    UploadError,
};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{Check, DatabaseAccess, DatabaseFigures, Digest, Light, Slug, SlugId, TransferId};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::Digest as _;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// More than this is refused.
pub const LIMIT: u64 = 1 << 16;

/// Blobs by digest, slugs and dumps by id, and output by whose it is.
#[derive(Default)]
pub struct Memory {
    blobs: Mutex<HashMap<Digest, Bytes>>,
    slugs: Mutex<HashMap<SlugId, Bytes>>,
    outputs: Mutex<HashMap<OutputOf, Bytes>>,
    settings: Mutex<BTreeMap<String, String>>,
    /// What was done to databases.
    pub done: Mutex<Vec<String>>,
    /// Whether databases do not answer.
    pub silent: AtomicBool,
    backups: Mutex<HashMap<TransferId, Bytes>>,
    /// Told when somebody looks for an output.
    pub looked: Notify,
}

impl Memory {
    /// Lets a build or release command have printed this.
    pub fn print(&self, of: OutputOf, text: &'static str) {
        self.outputs.lock().unwrap().insert(of, Bytes::from_static(text.as_bytes()));
    }
}

impl Memory {
    /// Lets a backup have this dump.
    pub fn dump(&self, backup: TransferId, bytes: &'static [u8]) {
        self.backups.lock().unwrap().insert(backup, Bytes::from_static(bytes));
    }
}

async fn read(mut body: ByteStream) -> Result<Bytes, UploadError> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.try_next().await.map_err(UploadError::Storage)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > LIMIT {
            return Err(UploadError::TooLarge(LIMIT));
        }
    }
    Ok(bytes.into())
}

fn digest(bytes: &Bytes) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}

fn one(bytes: Bytes) -> ByteStream {
    stream::iter([Ok(bytes)]).boxed()
}

#[async_trait]
impl Blobs for Memory {
    async fn put_source(&self, body: ByteStream) -> Result<Stored, UploadError> {
        let bytes = read(body).await?;
        let stored = Stored { digest: digest(&bytes), size: bytes.len() as u64 };
        self.blobs.lock().unwrap().insert(stored.digest, bytes);
        Ok(stored)
    }

    async fn get(&self, digest: &Digest) -> io::Result<Option<ByteStream>> {
        Ok(self.blobs.lock().unwrap().get(digest).cloned().map(one))
    }

    async fn put_slug(&self, slug: &Slug, body: ByteStream) -> Result<StoredSlug, UploadError> {
        let bytes = read(body).await?;
        let checksum = digest(&bytes);
        let stored = StoredSlug { image: checksum, checksum, size: bytes.len() as u64 };
        self.slugs.lock().unwrap().insert(slug.id, bytes);
        Ok(stored)
    }

    async fn admit(&self, manifest: &Digest) -> Result<Runnable, UploadError> {
        if *manifest == Digest::from_bytes([66; 32]) {
            return Err(UploadError::Refused("it is for riscv64.".into()));
        }
        Ok(Runnable { image: *manifest, command: "/bin/web --fast".into(), held: Box::new(()) })
    }

    async fn get_slug(&self, slug: &Slug) -> io::Result<Option<ByteStream>> {
        Ok(self.slugs.lock().unwrap().get(&slug.id).cloned().map(one))
    }

    async fn get_backup(&self, backup: TransferId) -> io::Result<Option<(u64, ByteStream)>> {
        let bytes = self.backups.lock().unwrap().get(&backup).cloned();
        Ok(bytes.map(|bytes| (bytes.len() as u64, one(bytes))))
    }
}

#[async_trait]
impl Outputs for Memory {
    async fn follow(&self, of: OutputOf, offset: u64) -> io::Result<Option<ByteStream>> {
        let text = self.outputs.lock().unwrap().get(&of).cloned();
        self.looked.notify_one();
        Ok(text.map(|text| one(text.slice((offset as usize).min(text.len())..))))
    }
}

impl Memory {
    fn do_to(&self, access: &DatabaseAccess, what: &str) -> Result<(), DatabaseError> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(DatabaseError::Unreachable("nobody is there".into()));
        }
        let database = access.database.chars().next().unwrap();
        self.done.lock().unwrap().push(format!("{what} {database}"));
        Ok(())
    }
}

#[async_trait]
impl Databases for Memory {
    async fn figures(&self, access: &DatabaseAccess) -> Result<DatabaseFigures, DatabaseError> {
        self.do_to(access, "look at")?;
        Ok(DatabaseFigures {
            version: "17.5".into(),
            bytes: 7_759_871,
            tables: 3,
            connections: 2,
            transaction: 800,
        })
    }

    async fn reset(&self, access: &DatabaseAccess, extensions: &[String]) -> Result<(), DatabaseError> {
        if extensions.iter().any(|name| name == "plperlu") {
            return Err(DatabaseError::Refused("There is no extension plperlu.".into()));
        }
        self.do_to(access, &format!("reset {extensions:?}"))
    }

    async fn end_connections(&self, access: &DatabaseAccess) -> Result<(), DatabaseError> {
        self.do_to(access, "end connections of")
    }

    async fn reset_statistics(&self, access: &DatabaseAccess) -> Result<(), DatabaseError> {
        self.do_to(access, "reset statistics of")
    }

    async fn settings(&self, _: &DatabaseAccess) -> Result<BTreeMap<String, String>, DatabaseError> {
        Ok(self.settings.lock().unwrap().clone())
    }

    async fn change_setting(
        &self,
        _: &DatabaseAccess,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let mut settings = self.settings.lock().unwrap();
        match value {
            Some(value) => drop(settings.insert(name.into(), value.into())),
            None => drop(settings.remove(name)),
        }
        Ok(())
    }

    async fn repair_owner(&self, access: &DatabaseAccess, users: &[String]) -> Result<(), DatabaseError> {
        self.do_to(access, &format!("repair {users:?} in"))
    }

    async fn diagnose(
        &self,
        access: &DatabaseAccess,
        connections: u64,
        whose: ServerOf,
    ) -> Result<Vec<Check>, DatabaseError> {
        self.do_to(
            access,
            &format!("look for what is wrong with {connections} connections of {whose:?} to"),
        )?;
        let query =
            |pid: &str| vec![("pid".to_owned(), pid.to_owned()), ("duration".to_owned(), "2s".to_owned())];
        let found = vec![query("7"), query("8")];
        Ok(vec![
            Check { name: "Long Queries".into(), light: Light::Red, found },
            Check { name: "Bloat".into(), light: Light::Green, found: Vec::new() },
            Check::skipped("Load", "Load check not supported on this plan"),
        ])
    }
}
