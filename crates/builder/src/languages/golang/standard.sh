# Compiles the part of the standard library that web apps need and sends it as a layer below their
# build caches.

. /kigo/common.sh

wanted='archive/zip bufio bytes cmp compress/gzip compress/zlib container/heap context crypto/ecdsa
crypto/ed25519 crypto/hmac crypto/md5 crypto/rand crypto/rsa crypto/sha1 crypto/sha256 crypto/sha512
crypto/subtle crypto/tls crypto/x509 database/sql debug/dwarf debug/macho embed encoding/base64
encoding/binary encoding/csv encoding/gob encoding/hex encoding/json encoding/pem encoding/xml
errors expvar flag fmt hash/crc32 hash/fnv html html/template io io/fs io/ioutil iter log log/slog
maps math/big math/rand math/rand/v2 mime mime/multipart net net/http net/http/cookiejar
net/http/httputil net/http/pprof net/mail net/netip net/rpc net/textproto net/url os os/exec os/signal
os/user path path/filepath reflect regexp runtime/cgo runtime/debug runtime/metrics runtime/pprof
runtime/trace slices sort strconv strings sync sync/atomic text/tabwriter text/template time unicode
unicode/utf16 unicode/utf8'

place=/tmp/root$KIGO_GO_BUILD_CACHE
mkdir -p /tmp/nowhere "$place" && cd /tmp/nowhere || exit 1
export PATH="$KIGO_GO_ROOT/bin:$PATH" GOROOT=$KIGO_GO_ROOT GOTOOLCHAIN=local GOPATH=/tmp/go GOCACHE=$place
# Not every release has all.
# shellcheck disable=SC2046,SC2086
go build $(go list std | grep -Fx -f <(printf '%s\n' $wanted)) || exit $?
# Those are of this cache as a whole.
find "$place" -mindepth 1 -maxdepth 1 -type f -delete
# What apps need not send.
(cd "$place" && : > standard && find . -mindepth 1 | LC_ALL=C sort > /tmp/list && cp /tmp/list standard) || exit 1
send_layer shared /tmp/root --owner=1000 --group=1000 --mtime="@$KIGO_NEVER"
