# Installs the toolchain $KIGO_RUST_CHANNEL with rustup and sends it as a layer.

. /kigo/common.sh

cd /tmp || exit 1
export RUSTUP_HOME=/tmp/rustup CARGO_HOME=/tmp/cargo RUSTUP_MAX_RETRIES=1
timeout 900 rustup toolchain install "$KIGO_RUST_CHANNEL" --profile minimal --no-self-update \
    ${KIGO_RUST_COMPONENTS:+--component "$KIGO_RUST_COMPONENTS"} \
    ${KIGO_RUST_TARGETS:+--target "$KIGO_RUST_TARGETS"} > /tmp/rustup.log 2>&1
status=$?
tell why "$(grep -v '^info: ' /tmp/rustup.log | head -n 10)"
[ $status = 0 ] || exit $status
mkdir -p /tmp/root/usr/local && mv /tmp/rustup/toolchains/* /tmp/root/usr/local/rust || exit 1
/tmp/root/usr/local/rust/bin/rustc --version > /dev/null || exit 1
send_layer shared /tmp/root --owner=0 --group=0 --mtime=@1735689600
