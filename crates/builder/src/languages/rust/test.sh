# All tests of the package or workspace, with what the build fetched and compiled.
(python3 /kigo/rust-times.py begin /kigo-cache/target/.kigo-times) || exit 1
cd "/app/${KIGO_RUST_PATH:-}" || exit 1
export CARGO_HOME=/tmp/cargo CARGO_TARGET_DIR=/kigo-cache/target CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
unset RUSTUP_TOOLCHAIN
mkdir -p "$CARGO_HOME" && ln -sfn /kigo-cache/cargo/registry "$CARGO_HOME/registry" && ln -sfn /kigo-cache/cargo/git "$CARGO_HOME/git" || exit 1
[ ! -f /kigo/host/cargo.toml ] || cp /kigo/host/cargo.toml "$CARGO_HOME/config.toml" || exit 1
tests="cargo test --locked"
