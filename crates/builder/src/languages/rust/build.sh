# Builds the Rust app in $BUILD_DIR. What is to be done was decided before and is in KIGO_* variables.

. /kigo/common.sh

step copy
copy_source || exit 1
cd "$BUILD_DIR/$KIGO_RUST_PATH" || exit 1

step settings
source_exports
export_config_vars
export PATH="$KIGO_RUST_ROOT/bin:$PATH"
export CARGO_HOME=/tmp/cargo CARGO_TARGET_DIR=/kigo-cache/target CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never
unset RUSTUP_TOOLCHAIN

step version
found=$(rustc --version) || exit $?
tell found "$(printf '%s' "$found" | cut -d ' ' -f 2 | cut -d . -f 1,2)"
case $found in "rustc ${KIGO_RUST_WANTED:+$KIGO_RUST_WANTED.}"*) ;; *) exit 1 ;; esac
heading "Using ${found%% (*}${KIGO_RUST_ORIGIN:+ of $KIGO_RUST_ORIGIN}"

# Only what is worth keeping is in the kept directory: not Cargo's notes of when it used what.
mkdir -p "$CARGO_HOME" || exit 1
ln -s /kigo-cache/cargo/registry /kigo-cache/cargo/git "$CARGO_HOME" || exit 1
[ ! -f /kigo/host/cargo.toml ] || cp /kigo/host/cargo.toml "$CARGO_HOME/config.toml" || exit 1

# shellcheck disable=SC2086
compile() { cargo $verb $flags --message-format=json-render-diagnostics > /tmp/messages; }

# Programs, and libraries that other languages load.
compiled() {
    jq --raw-output 'select(.reason == "compiler-artifact")
        | (select((.target.kind | index("bin")) and .executable) | .executable),
          (select(.target.kind | index("cdylib")) | .filenames[] | select(endswith(".so")))' /tmp/messages
}

if [ "$KIGO_RUST_SKIP" = 1 ]; then
    heading "Skipping the build (RUST_SKIP_BUILD)"
else
    for name in cargo target; do
        open_directory $name
        renew_directory $name
    done
    mkdir -p /kigo-cache/cargo/registry /kigo-cache/cargo/git || exit 1
    step build
    rm -rf target
    (cd "$BUILD_DIR" && python3 /kigo/rust-times.py begin /kigo-cache/target/.kigo-times) || exit 1
    flags=${KIGO_RUST_FLAGS:---release} verb=build
    if [ "$KIGO_TEST" = 1 ]; then
        flags=--no-run verb=test
    fi
    case " $flags " in *" --locked "* | *" --frozen "*) ;; *) flags="$flags --locked" ;; esac
    heading "Running: cargo $verb $flags"
    indented compile || exit $?
    (cd "$BUILD_DIR" && python3 /kigo/rust-times.py end /kigo-cache/target/.kigo-times) || exit 1

    step pack
    mkdir -p target/release || exit 1
    compiled > /tmp/compiled
    while IFS= read -r file; do
        cp "$file" target/release || exit 1
    done < /tmp/compiled
    heading "Installed the following binaries:"
    indented sed 's|.*/|./target/release/|' /tmp/compiled
    tell binaries "$(sed -n '/\.so$/! s|.*/||p' /tmp/compiled)"
fi

if [ "$KIGO_RUST_DIESEL" = 1 ]; then
    step diesel
    heading "Installing diesel_cli"
    [ "$KIGO_RUST_SKIP" = 0 ] || { open_directory cargo && mkdir -p /kigo-cache/cargo/registry /kigo-cache/cargo/git; } || exit 1
    # shellcheck disable=SC2086
    CARGO_TARGET_DIR=/tmp/diesel indented cargo install --locked --root /kigo-cache/cargo diesel_cli $KIGO_RUST_DIESEL_FLAGS || exit $?
    mkdir -p target/release && cp /kigo-cache/cargo/bin/diesel target/release || exit 1
    [ "$KIGO_RUST_SKIP" = 0 ] || close_directory cargo
fi

step pack
cd "$BUILD_DIR" || exit 1
mkdir -p .profile.d && cp /kigo/rust-profile.sh .profile.d/rust.sh || exit 1
[ -z "$KIGO_RUST_PATH" ] || sed -i "s|/target/|/$KIGO_RUST_PATH/target/|" .profile.d/rust.sh || exit 1
cd /
send app "$BUILD_DIR" || exit 1
if [ "$KIGO_RUST_SKIP" = 0 ]; then
    close_directory cargo
    close_directory target
fi
