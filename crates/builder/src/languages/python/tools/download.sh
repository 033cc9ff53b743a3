# Downloads Python $KIGO_VERSION, as python-build-standalone builds it, into $KIGO_PLACE and sends it.

. /kigo/common.sh

export UV_PYTHON_INSTALL_DIR=$KIGO_PLACE UV_NO_PROGRESS=1 UV_NO_CONFIG=1 UV_PYTHON_PREFERENCE=only-managed
export UV_CACHE_DIR=/tmp/uv-cache
uv=/usr/local/kigo/uv/bin/uv

step install
indented "$uv" python install --no-bin "$KIGO_VERSION" || exit $?
program=$("$uv" python find "$KIGO_VERSION") || exit $?
installed=$(realpath "$(dirname "$program")/..") || exit 1
ln -s "${installed##*/}" "$KIGO_PLACE/current" || exit 1

step pack
send shared "$KIGO_PLACE"
