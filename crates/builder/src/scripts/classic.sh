# Runs the classic buildpacks /kigo/buildpacks/<number> of $KIGO_BUILDPACKS on $BUILD_DIR, by Heroku's Buildpack API,
# and for tests by its Testpack API.

. /kigo/common.sh

cache=/kigo-cache/classic

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
for source in $KIGO_BUILDPACKS; do
    tell buildpack "$number"
    directory=/tmp/buildpacks/$number
    mkdir -p "$directory"
    cd "$directory" || exit 1

    step copy
    cp -a "/kigo/buildpacks/$source"/. . || exit 1

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
        program=bin/compile
        [ "$KIGO_TEST" = 0 ] || [ ! -f bin/test-compile ] || program=bin/test-compile
        exec "$program" "$BUILD_DIR" "$cache" /kigo/env
    )
    status=$?
    report
    [ "$status" = 0 ] || exit "$status"
    [ ! -f export ] || cp export "$result/export.$number"

    step release
    rm -f "$result/release"
    if [ "$KIGO_TEST" = 0 ] && [ -f bin/release ]; then
        bin/release "$BUILD_DIR" > "$result/release" || exit $?
    fi
    number=$((number + 1))
done

step pack
cd /
send app "$BUILD_DIR" || exit 1
close_directory classic
