//! Tests on a real file.
