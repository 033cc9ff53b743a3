# Builds the Go app in $BUILD_DIR. What is to be done was decided before and is in KIGO_* variables.

. /kigo/common.sh

step copy
copy_source || exit 1
cd "$BUILD_DIR" || exit 1

step settings
source_exports
export_config_vars
for name in CGO_CFLAGS CGO_CPPFLAGS CGO_CXXFLAGS CGO_LDFLAGS GOFLAGS GO_LINKER_SYMBOL GO_LINKER_VALUE; do
    [ -z "${!name:-}" ] || export "$name=${!name//'${build_dir}'/$BUILD_DIR}"
done
export PATH="$KIGO_GO_ROOT/bin:$PATH" GOROOT=$KIGO_GO_ROOT GOTOOLCHAIN=local GO111MODULE=on
export GOPATH=/tmp/go GOBIN=$BUILD_DIR/bin GOCACHE=$KIGO_GO_BUILD_CACHE GOMODCACHE=$KIGO_GO_MODULES
export GOFLAGS="$KIGO_GO_FLAGS ${GOFLAGS:-}"
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0='!bash /kigo/go-credentials.sh'
unset GIT_DIR

flags=(-tags heroku)
if [ -n "${GO_LINKER_SYMBOL:-}" ] && [ -n "${GO_LINKER_VALUE:-${SOURCE_VERSION:-}}" ]; then
    flags+=(-ldflags "-X $GO_LINKER_SYMBOL=${GO_LINKER_VALUE:-$SOURCE_VERSION}")
fi
[ "$KIGO_GO_VENDORED" = 0 ] || flags+=(-mod=vendor)

step bin
[ ! -e bin ] || [ -d bin ] || exit 1
mkdir -p bin

binaries() { find bin -mindepth 1 -maxdepth 1 -type f -exec sha256sum {} + 2> /dev/null | LC_ALL=C sort; }

# Writes the main packages of the module into /tmp/main: what they are called, and what they become.
main_packages() {
    go list -find "${flags[@]}" -f '{{ if eq .Name "main" }}{{ .ImportPath }} {{ .Target }}{{ end }}' ./... > /tmp/main
}

open_directory gobuild
open_directory gomodules
renew_directory gomodules
# Go would look for what it has not used for days; what is kept has no such times.
date +%s > "$GOCACHE/trim.txt"
# When everything is to be sent, what no build uses any more is left out: Go renews the time of what
# it uses if it is old. The standard library's files are not the app's.
if [ "$KIGO_WHOLE_gobuild" = 1 ]; then
    (
        cd "$GOCACHE" || exit 1
        find . -mindepth 2 -type f | LC_ALL=C sort | LC_ALL=C comm -23 - standard | xargs -r -d '\n' touch -d @0
    ) || exit 1
fi
binaries > /tmp/binaries.before

step packages
heading "Determining packages to install"
packages=${GO_INSTALL_PACKAGE_SPEC:-$KIGO_GO_PACKAGES}
if [ -n "${GO_INSTALL_PACKAGE_SPEC:-}" ]; then
    warning "Using the config var GO_INSTALL_PACKAGE_SPEC: $GO_INSTALL_PACKAGE_SPEC" \
        "If this is not what you want: heroku config:unset GO_INSTALL_PACKAGE_SPEC"
elif [ -z "$packages" ]; then
    indented main_packages || exit $?
    packages=$(cut -d ' ' -f 1 /tmp/main)
    if [ -n "$packages" ]; then
        heading "Detected the following main packages to install:"
        indented printf '%s\n' "$packages"
    else
        warning "No main packages found in this module" \
            "Unsure what to install, defaulting to '.'. To install others, add a comment to go.mod:" \
            "// +heroku install ./cmd/..."
        packages=.
    fi
fi
# One line, however many there are.
packages=$(printf '%s' "$packages" | tr -s '[:space:]' ' ')

run_hook go-pre-compile || exit $?

step install
heading "Running: go install -v ${flags[*]} $packages"
# shellcheck disable=SC2086
indented go install -v "${flags[@]}" $packages || exit $?

run_hook go-post-compile || exit $?

if [ "$KIGO_TEST" = 1 ]; then
    step tests
    heading "Fetching what tests need"
    go list -deps -test ./... > /dev/null || exit $?
fi

step pack
heading "Installed the following binaries:"
binaries | LC_ALL=C comm -13 /tmp/binaries.before - | sed 's/^[^ ]* *//' > /tmp/binaries.new
indented sed 's|^|./|' /tmp/binaries.new

if [ ! -e Procfile ] && main_packages 2> /dev/null; then
    # Of the module's own, those that are there.
    sed -n 's|.*/||p' <(cut -d ' ' -f 2- /tmp/main) | while IFS= read -r name; do
        [ ! -f "bin/$name" ] || printf '%s: bin/%s\n' "$name" "$name"
    done > /tmp/Procfile
    if [ -s /tmp/Procfile ]; then
        [ "$(wc -l < /tmp/Procfile)" != 1 ] || sed -i 's/^[^:]*:/web:/' /tmp/Procfile
        cp /tmp/Procfile Procfile || exit 1
        heading "Created a Procfile with the following entries:"
        indented cat Procfile
        detail "If they are incomplete or incorrect, create a Procfile with those that are needed."
    fi
fi
mkdir -p .profile.d && cp /kigo/go-profile.sh .profile.d/go.sh || exit 1
[ "$KIGO_GO_TOOLS" = 0 ] || sed "s|/usr/local/go|$GOROOT|" /kigo/go-tools.sh > .profile.d/goroot.sh || exit 1

cd /
send app "$BUILD_DIR" || exit 1
[ "$KIGO_WHOLE_gobuild" = 0 ] || find "$GOCACHE" -mindepth 2 -type f ! -newermt @1 -delete
rm -f "$GOCACHE/trim.txt"
# An archive serves nobody once it is unpacked.
find "$GOMODCACHE/cache/download" -name '*.zip' -delete 2> /dev/null
close_directory gobuild "$GOCACHE/standard"
close_directory gomodules
