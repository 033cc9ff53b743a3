# Fetches the release $KIGO_GO of Go as a module and sends it as a layer. Go itself checks it against
# the sum database, and refuses to fetch a toolchain when it is told to use none.

. /kigo/common.sh

mkdir -p /tmp/nowhere && cd /tmp/nowhere || exit 1
export PATH="$KIGO_GO_ROOT/bin:$PATH" GOTOOLCHAIN=$KIGO_GO GOPATH=/tmp/go
unset GONOSUMDB GOPRIVATE
timeout 600 go version > /tmp/version 2> /tmp/why
status=$?
tell why "$(grep -v '^go: downloading ' /tmp/why | head -n 1)"
[ $status = 0 ] || exit $status
# The Go that fetches may be the one that is asked for: then there is nothing to fetch.
[ -d "$GOPATH/pkg/mod/golang.org" ] || exit 1
grep -qF " $KIGO_GO " /tmp/version || exit 1
# A directory that is moved has to be writable.
chmod -R u+w "$GOPATH" && mkdir -p /tmp/root/usr/local \
    && mv "$GOPATH"/pkg/mod/golang.org/toolchain@* /tmp/root/usr/local/go || exit 1
send_layer shared /tmp/root --owner=0 --group=0 --mtime=@1735689600
