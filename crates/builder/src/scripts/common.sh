# What every build program begins with. It runs inside the build's container, as the app's user.
#
# Small results go into files in $result, which are sent when the program ends, however it ends;
# `step` among them says how far it got. Trees are sent through the pipes in /kigo/pipes.

set -uo pipefail
exec < /dev/null

result=/tmp/.kigo-result
mkdir -p "$result"

finish() {
    local status=$?
    trap - EXIT
    tar -C "$result" -c . > /kigo/pipes/result 2> /dev/null
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM

tell() { printf '%s' "$2" > "$result/$1"; }
step() { tell step "$1"; }
heading() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }

warning() { printf ' !     %s\n' "$@"; }

# Runs a command with its output below the heading. The indenting is done by whoever reads: with a
# pipe in between, a process that the command left running would keep it open for ever.
indented() {
    local status=0
    printf '\002indent\n'
    "$@" 2>&1 || status=$?
    printf '\003indent\n'
    return "$status"
}

# Runs the app's program bin/$1, if there is one; what follows goes before it.
run_hook() {
    local hook=$1
    shift
    [ -f "bin/$hook" ] || return 0
    step "$hook"
    heading "Running bin/$hook hook"
    chmod +x "bin/$hook"
    indented "$@" "bin/$hook"
}

# Sends directory $2 through pipe $1; what follows goes to tar.
send() {
    local pipe=/kigo/pipes/$1 tree=$2
    shift 2
    # Sockets and pipes that a build left mean nothing to anybody else.
    find "$tree" \( -type p -o -type s \) -delete 2> /dev/null
    # Sorted, so that the same files are the same archive.
    tar -C "$tree" --numeric-owner --sort=name "$@" -c . > "$pipe"
}

# Sends directory $2, as the root of a layer, through pipe $1; what follows goes to tar.
send_layer() {
    local pipe=/kigo/pipes/$1 tree=$2
    shift 2
    tar -C "$tree" --numeric-owner --sort=name "$@" -c . > "$pipe"
}

# Notes what is in the kept directory /kigo-cache/$1, before anything is added to it.
open_directory() {
    : > "/tmp/.kept-$1.marker"
    (cd "/kigo-cache/$1" && find . -mindepth 1 | LC_ALL=C sort > "/tmp/.kept-$1.before")
}

# Empties it when the whole of it would be sent and it has grown so large that soon it could not be
# kept. For programs that never remove what they do not use any more.
renew_directory() {
    local whole=KIGO_WHOLE_$1
    [ "${!whole}" = 1 ] && [ "$(du -sm "/kigo-cache/$1" | cut -f 1)" -gt $((KIGO_CACHE_LIMIT * 3 / 4)) ] || return 0
    heading "Clearing the build cache, which has grown large"
    find "/kigo-cache/$1" -mindepth 1 -delete
}

# Sends what was added to it; or the whole, if something is gone or the whole is wanted, but without
# what the file $2 lists, which is there by other means. Nothing is sent when nothing changed.
close_directory() {
    local name=$1 others=${2:-} whole=KIGO_WHOLE_$1
    (
        cd "/kigo-cache/$name" || exit 1
        find . -mindepth 1 | LC_ALL=C sort > "/tmp/.kept-$name.after"
        if [ "${!whole}" = 1 ] || [ -n "$(LC_ALL=C comm -23 "/tmp/.kept-$name."{before,after} | head -n 1)" ]; then
            tell "cache.$name" whole
            [ -n "$others" ] || { send "$name" . && exit; }
            LC_ALL=C comm -13 "$others" "/tmp/.kept-$name.after" \
                | tar --numeric-owner --no-recursion --verbatim-files-from -T - -c > "/kigo/pipes/$name"
            exit
        fi
        find . -mindepth 1 -cnewer "/tmp/.kept-$name.marker" ! -type s ! -type p -print0 > "/tmp/.kept-$name.added"
        [ -s "/tmp/.kept-$name.added" ] || exit 0
        tell "cache.$name" added
        tar --numeric-owner --null --no-recursion -T "/tmp/.kept-$name.added" -c > "/kigo/pipes/$name"
    ) || detail "The build cache could not be kept."
}

# Copies the source to where it is built.
copy_source() {
    mkdir -p "$BUILD_DIR" && cp -a /kigo/source/. "$BUILD_DIR"/ && chmod 755 "$BUILD_DIR"
}

# What earlier buildpacks export to later ones.
source_exports() {
    local file
    set +u
    for file in /kigo/exports/*.sh; do
        # shellcheck disable=SC1090
        [ -f "$file" ] && . "$file"
    done
    set -u
}

# Exports config vars, without those that would change how programs are found.
export_config_vars() {
    local file name value
    for file in /kigo/env/*; do
        [ -f "$file" ] || continue
        name=${file##*/}
        case $name in
            PATH | GIT_DIR | CPATH | CPPATH | LD_PRELOAD | LIBRARY_PATH | LANG | BUILD_DIR | HOME | BASH_* | IFS) continue ;;
        esac
        value=$(cat "$file"; printf x)
        export "$name=${value%x}"
    done
}
