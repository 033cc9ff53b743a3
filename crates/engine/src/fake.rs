//! An engine in memory, for tests of what stands above it. (to be written)
