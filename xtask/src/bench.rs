//! Benchmarks.
use anyhow::Result;
/// All benchmarks.
pub(crate) fn bench(_parts: &[String]) -> Result<()> {
    Ok(())
}
