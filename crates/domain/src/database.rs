//! Databases behind add-ons: how their administrator gets in, and what is told about them.

use std::fmt;
use std::net::SocketAddrV4;

/// How the administrator of a server gets at one add-on's database. Holds a password: no `Debug` shows
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAccess {
    pub address: SocketAddrV4,
    /// The administrator's password.
    pub password: String,
    pub database: String,
    /// The user of the add-on's own credential, to whom the database belongs.
    pub owner: String,
}

impl fmt::Debug for DatabaseAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseAccess")
            .field("address", &self.address)
            .field("database", &self.database)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// `17.5`.
    pub version: String,
    pub bytes: u64,
    pub tables: u64,
    /// Open ones of its users.
    pub connections: u64,
    /// The number of the next transaction, by which one that follows another is compared with it.
    pub transaction: u64,
}
