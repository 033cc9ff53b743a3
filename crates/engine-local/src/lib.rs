//! engine-local
