# Runs the classic buildpacks listed in /kigo/buildpacks on $BUILD_DIR, by Heroku's Buildpack API.

. /kigo/common.sh

cache=/kigo-cache/classic
export GIT_TERMINAL_PROMPT=0

fetch_git() {
    local url=$1 ref=$2
    git init --quiet . && git remote add origin "$url" || return 1
    # A commit may not be fetchable by itself, so that everything has to be.
    if git fetch --quiet --depth 1 origin "${ref:-HEAD}" 2> /tmp/fetch.err; then
        git checkout --quiet --force FETCH_HEAD || return 1
    else
        git fetch --quiet --tags origin '+refs/heads/*:refs/remotes/origin/*' || return 1
        git checkout --quiet --force "${ref:-origin/HEAD}" 2> /dev/null \
            || git checkout --quiet --force "origin/$ref" || return 1
    fi
    [ ! -f .gitmodules ] || git submodule --quiet update --init --recursive --depth 1
}

unpack_archive() {
    tar -xz --no-same-owner -C . || return 1
    # Archives of code hosts have everything in one directory.
    if [ ! -e bin ]; then
        local only
        only=$(find . -mindepth 1 -maxdepth 1)
        [ -d "$only/bin" ] && cp -a "$only"/. .
    fi
    return 0
}

fetch() {
    # A local repository belongs to somebody else, of which git has to be told in a file.
    printf '[safe]\n\tdirectory = *\n' > /tmp/fetch.gitconfig
    local -x GIT_CONFIG_GLOBAL=/tmp/fetch.gitconfig
    case $1 in
        git) fetch_git "$2" "$3" ;;
        archive) curl --silent --show-error --fail --location --retry 2 --connect-timeout 20 "$2" | unpack_archive ;;
        local)
            if [ -f "$2" ]; then
                unpack_archive < "$2"
            elif [ -e "$2/.git" ] || [ -f "$2/HEAD" ]; then
                fetch_git "file://$2" "$3"
            else
                cp -a "$2"/. .
            fi
            ;;
    esac
}

# Keeps what a buildpack reports of its work, for operators. Nothing here fails a build.
report() {
    [ -f bin/report ] || return 0
    timeout 30 bin/report "$BUILD_DIR" "$cache" /kigo/env > /tmp/report 2> /dev/null || return 0
    head -c 4096 /tmp/report > "$result/report.$number"
}

step copy
copy_source || exit 1
mkdir -p /tmp/buildpacks
open_directory classic

number=0
# The list has a descriptor of its own: a buildpack may read its standard input.
while IFS=$'\t' read -r kind address ref <&3; do
    tell buildpack "$number"
    directory=/tmp/buildpacks/$number
    mkdir -p "$directory"
    cd "$directory" || exit 1

    step fetch
    fetch "$kind" "$address" "$ref" 2>&1 | sed -u 's/^/ !     /' || exit 1

    step check
    [ -f bin/detect ] && [ -f bin/compile ] || exit 1
    chmod +x bin/*

    step detect
    if ! name=$(bin/detect "$BUILD_DIR" 2> /tmp/detect.err); then
        printf '%s\n' "$name" | cat - /tmp/detect.err | sed '/^$/d; s/^/ !     /'
        exit 1
    fi
    name=$(printf '%s' "$name" | head -n 1)
    tell "detected.$number" "$name"
    heading "$name app detected"

    step compile
    (
        source_exports
        set +u
        for earlier in "$result"/export.*; do
            # shellcheck disable=SC1090
            [ -f "$earlier" ] && . "$earlier"
        done
        exec bin/compile "$BUILD_DIR" "$cache" /kigo/env
    )
    status=$?
    report
    [ "$status" = 0 ] || exit "$status"
    [ ! -f export ] || cp export "$result/export.$number"

    step release
    rm -f "$result/release"
    if [ -f bin/release ]; then
        bin/release "$BUILD_DIR" > "$result/release" || exit $?
    fi
    number=$((number + 1))
done 3< /kigo/buildpacks

step pack
cd /
send app "$BUILD_DIR" || exit 1
close_directory classic
