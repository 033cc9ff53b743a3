//! Encryption of secrets at rest: an envelope for each value.
//!
//! A value is encrypted with a data key of its own (AES-256-GCM), the data key with the master key,
//! and both are bound to the table, column and row they stand in: a sealed value that was copied to
//! another row does not open. Changing the master key means to wrap the data keys anew, not to
//! encrypt the values again.
//!
//! Layout: version `1`, master key id (4 bytes), nonce (12), wrapped data key (32 + 16 tag), nonce
//! (12), encrypted value with tag (16 more than the value).

use crate::keys::{KEY_BYTES, KeyError, Keys};
use crate::row::Columns;
use crate::{Result, StoreError, Write};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const ID_END: usize = 1 + 4;
const WRAPPED_END: usize = ID_END + NONCE_LEN + KEY_BYTES + 16;

/// Where a sealed value stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a str,
}

impl Place<'_> {
    fn aad(&self) -> Aad<Vec<u8>> {
        Aad::from(format!("{}/{}/{}", self.table, self.column, self.row).into_bytes())
    }
}

/// Encrypts `value` for `place`.
pub(crate) fn seal(keys: &Keys, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>> {
    let mut data_key = Zeroizing::new([0; KEY_BYTES]);
    aws_lc_rs::rand::fill(data_key.as_mut()).map_err(|_| KeyError::NoRandomness)?;
    let mut sealed = wrap(keys, place, data_key.as_ref())?;
    sealed.extend(encrypt(&data_cipher(place, data_key.as_ref())?, place, value)?);
    Ok(sealed)
}

/// Decrypts what [`seal`] made for the same place.
pub(crate) fn open(keys: &Keys, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let data_key = unwrap(keys, place, sealed)?;
    decrypt(&data_cipher(place, &data_key)?, place, &sealed[WRAPPED_END..])
}

/// Encrypts names and values for `place`.
pub(crate) fn seal_map(keys: &Keys, place: Place<'_>, map: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(map)
        .map_err(|error| StoreError::Corrupt { column: place.column, why: error.to_string() })?;
    seal(keys, place, &Zeroizing::new(text))
}

/// Decrypts what [`seal_map`] made for the same place.
pub(crate) fn open_map(keys: &Keys, place: Place<'_>, sealed: &[u8]) -> Result<BTreeMap<String, String>> {
    serde_json::from_slice(&open(keys, place, sealed)?)
        .map_err(|_| StoreError::Corrupt { column: place.column, why: "not a JSON object of strings".into() })
}

/// Wraps the data key anew with the current master key; the encrypted value stays as it is.
fn rewrap(keys: &Keys, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
    let data_key = unwrap(keys, place, sealed)?;
    let mut renewed = wrap(keys, place, &data_key)?;
    renewed.extend_from_slice(&sealed[WRAPPED_END..]);
    Ok(renewed)
}

fn wrap(keys: &Keys, place: Place<'_>, data_key: &[u8]) -> Result<Vec<u8>> {
    let master = keys.current();
    let mut sealed = vec![VERSION];
    sealed.extend(master.id);
    sealed.extend(encrypt(&master.cipher, place, data_key)?);
    Ok(sealed)
}

fn unwrap(keys: &Keys, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if sealed.len() < WRAPPED_END || sealed[0] != VERSION {
        return Err(KeyError::Damaged(place.table).into());
    }
    let master = keys.find(&sealed[1..ID_END])?;
    decrypt(&master.cipher, place, &sealed[ID_END..WRAPPED_END])
}

fn data_cipher(place: Place<'_>, data_key: &[u8]) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, data_key).map_err(|_| KeyError::Damaged(place.table).into())
}

fn encrypt(cipher: &RandomizedNonceKey, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>> {
    let mut body = value.to_vec();
    let nonce = cipher
        .seal_in_place_append_tag(place.aad(), &mut body)
        .map_err(|_| KeyError::Damaged(place.table))?;
    let mut sealed = nonce.as_ref().to_vec();
    sealed.append(&mut body);
    Ok(sealed)
}

fn decrypt(cipher: &RandomizedNonceKey, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let damaged = || KeyError::Damaged(place.table);
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = cipher.open_in_place(nonce, place.aad(), &mut body).map_err(|_| damaged())?.len();
    body.truncate(length);
    Ok(body)
}

/// A column that holds sealed values: its place, and how to read and write it by row.
struct SealedColumn {
    table: &'static str,
    column: &'static str,
    select: &'static str,
    update: &'static str,
}

macro_rules! sealed_columns {
    ($($table:literal . $column:literal by $row:literal),+ $(,)?) => {
        &[$(SealedColumn {
            table: $table,
            column: $column,
            select: concat!("SELECT ", $row, " AS row, ", $column, " AS sealed FROM ", $table, " WHERE ", $column, " IS NOT NULL"),
            update: concat!("UPDATE ", $table, " SET ", $column, " = $2 WHERE ", $row, " = $1"),
        }),+]
    };
}

/// Every sealed column there is; a test compares it with the tables.
const SEALED_COLUMNS: &[SealedColumn] = sealed_columns![
    "meta"."value" by "name",
    "configs"."sealed_vars" by "id",
    "builds"."sealed_source_url" by "id",
    "builds"."sealed_test_env" by "id",
    "app_setups"."sealed_source_url" by "id",
    "app_setups"."sealed_overrides" by "id",
    "dynos"."sealed_env" by "id",
    "drains"."sealed_url" by "id",
    "instances"."sealed_values" by "id",
    "addon_credentials"."sealed_values" by "id",
    "addon_credentials"."sealed_next_values" by "id",
    "transfers"."sealed_url" by "id",
    "partners"."sealed_secrets" by "id",
    "webhooks"."sealed_target" by "id",
    "webhook_shadows"."sealed_data" by "id",
    "webhook_events"."sealed_payload" by "id",
    "papertrail_searches"."sealed_address" by "id",
    "reports"."sealed_checks" by "id",
];

/// Wraps the data keys of all rows anew.
pub(crate) async fn rewrap_all(write: &mut Write) -> Result<u64> {
    let keys = write.keys();
    let mut count = 0;
    for SealedColumn { table, column, select, update } in SEALED_COLUMNS {
        let rows = sqlx::query(*select).fetch_all(write.sql()).await?;
        for row in rows {
            let name = row.text("row")?;
            let place = Place { table, column, row: &name };
            let sealed = row.bytes_if_any("sealed")?.unwrap_or_default();
            let renewed = rewrap(&keys, place, &sealed)?;
            sqlx::query(*update).bind(&name).bind(renewed).execute(write.sql()).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Opens a value that was sealed when the database was made, or seals one.
pub(crate) async fn check_key(write: &mut Write) -> Result<()> {
    const PLACE: Place<'_> = Place { table: "meta", column: "value", row: "key-check" };
    let keys = write.keys();
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
        .bind(PLACE.row)
        .fetch_optional(write.sql())
        .await?;
    if let Some(row) = row {
        let sealed = row.bytes_if_any("value")?.unwrap_or_default();
        open(&keys, PLACE, &sealed).map(drop)
    } else {
        let sealed = seal(&keys, PLACE, b"kigo")?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2)")
            .bind(PLACE.row)
            .bind(sealed)
            .execute(write.sql())
            .await?;
        Ok(())
    }
}

/// The columns of the list, to be compared with the tables.
#[cfg(test)]
pub(crate) fn listed_columns() -> Vec<(String, String)> {
    SEALED_COLUMNS.iter().map(|column| (column.table.into(), column.column.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const NEW: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn place(row: &str) -> Place<'_> {
        Place { table: "configs", column: "sealed_vars", row }
    }

    #[test]
    fn opens_what_it_sealed_and_hides_it() {
        let keys = Keys::parse(OLD).unwrap();
        for value in [vec![], b"x".to_vec(), vec![7; 70_000]] {
            let sealed = seal(&keys, place("1"), &value).unwrap();
            assert_eq!(*open(&keys, place("1"), &sealed).unwrap(), value);
            assert!(value.len() < 16 || !sealed.windows(value.len()).any(|part| part == value));
        }
    }

    #[test]
    fn a_value_of_another_place_does_not_open() {
        let keys = Keys::parse(OLD).unwrap();
        let sealed = seal(&keys, place("1"), b"secret").unwrap();
        for other in [
            place("2"),
            Place { table: "drains", ..place("1") },
            Place { column: "sealed_url", ..place("1") },
        ] {
            assert!(matches!(open(&keys, other, &sealed), Err(StoreError::Key(KeyError::Damaged(_)))));
        }
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let keys = Keys::parse(OLD).unwrap();
        let sealed = seal(&keys, place("1"), b"secret").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&keys, place("1"), &changed).is_err(), "byte {index}");
            assert!(open(&keys, place("1"), &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_wrong_key_is_named() {
        let sealed = seal(&Keys::parse(OLD).unwrap(), place("1"), b"secret").unwrap();
        let Err(StoreError::Key(error)) = open(&Keys::parse(NEW).unwrap(), place("1"), &sealed) else {
            panic!("opened with a wrong key");
        };
        let needed = hex::encode(Keys::parse(OLD).unwrap().current().id);
        assert!(error.to_string().contains(&format!("sealed with master key {needed}")), "{error}");
    }

    #[test]
    fn rewrapping_changes_the_key_and_not_the_value() {
        let old = Keys::parse(OLD).unwrap();
        let both = Keys::parse(&format!("{NEW}\n{OLD}\n")).unwrap();
        let new = Keys::parse(NEW).unwrap();
        let sealed = seal(&old, place("1"), b"secret").unwrap();
        let renewed = rewrap(&both, place("1"), &sealed).unwrap();
        assert_eq!(&**open(&new, place("1"), &renewed).unwrap(), b"secret");
        assert!(open(&old, place("1"), &renewed).is_err());
    }

    #[test]
    fn keys_that_are_none() {
        for (text, words) in [
            ("", "no master key"),
            ("abc", "key number 1 is not"),
            (&format!("{OLD},{}", &OLD[1..]), "key number 2 is not"),
        ] {
            assert!(Keys::parse(text).unwrap_err().to_string().contains(words), "{text}");
        }
    }
}
