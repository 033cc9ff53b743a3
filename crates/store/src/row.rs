//! Reading and writing values in the forms that both SQLite and PostgreSQL keep well: ids and names
//! as text, times as microseconds, lists and maps as JSON.

use crate::{Result, StoreError};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::fmt::Display;
use std::str::FromStr;

/// Reads columns by name.
pub(crate) trait Columns {
    /// A text that parses to `T`: an id, a name, a digest.
    fn parsed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T>;
    fn parsed_if_any<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>>;
    /// A word that `read` knows.
    fn word<T>(&self, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T>;
    fn text(&self, column: &'static str) -> Result<String>;
    fn text_if_any(&self, column: &'static str) -> Result<Option<String>>;
    fn time(&self, column: &'static str) -> Result<Timestamp>;
    fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>>;
    fn flag(&self, column: &'static str) -> Result<bool>;
    fn number<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<T>;
    fn number_if_any<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<Option<T>>;
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T>;
    fn bytes_if_any(&self, column: &'static str) -> Result<Option<Vec<u8>>>;
}

fn corrupt(column: &'static str) -> impl Fn(&dyn Display) -> StoreError {
    move |why| StoreError::Corrupt { column, why: why.to_string() }
}

impl Columns for SqliteRow {
    fn parsed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T> {
        self.text(column)?.parse().map_err(|error| corrupt(column)(&error))
    }

    fn parsed_if_any<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>> {
        self.text_if_any(column)?
            .map(|text| text.parse().map_err(|error| corrupt(column)(&error)))
            .transpose()
    }

    fn word<T>(&self, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        read(&text).ok_or_else(|| corrupt(column)(&format!("unknown word {text:?}")))
    }

    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn text_if_any(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn time(&self, column: &'static str) -> Result<Timestamp> {
        Timestamp::from_microsecond(self.try_get(column)?).map_err(|error| corrupt(column)(&error))
    }

    fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>> {
        self.try_get::<Option<i64>, _>(column)?
            .map(|micros| Timestamp::from_microsecond(micros).map_err(|error| corrupt(column)(&error)))
            .transpose()
    }

    fn flag(&self, column: &'static str) -> Result<bool> {
        Ok(self.try_get(column)?)
    }

    fn number<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<T> {
        T::try_from(self.try_get(column)?).map_err(|error| corrupt(column)(&error))
    }

    fn number_if_any<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<Option<T>> {
        self.try_get::<Option<i64>, _>(column)?
            .map(|number| T::try_from(number).map_err(|error| corrupt(column)(&error)))
            .transpose()
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| corrupt(column)(&error))
    }

    fn bytes_if_any(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        Ok(self.try_get(column)?)
    }
}

/// A time as it is bound to a statement.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// Something with a text form, if it is there, as it is bound to a statement.
pub(crate) fn text_of<T: Display>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}

/// A size or count as the database holds it. What does not fit is no real size.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A list or map as it is bound to a statement.
pub(crate) fn json_of<T: serde::Serialize>(column: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| corrupt(column)(&error))
}
