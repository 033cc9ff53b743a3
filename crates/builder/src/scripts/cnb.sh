# Runs Cloud Native Buildpacks on the app in $BUILD_DIR: asks what is next, does it, sends what came of
# it. Every decision is made by whoever answers.
#
# /kigo/restored    directories below /layers, one a line, that an earlier build filled

. /kigo/common.sh
. /kigo/ask.sh

message=/tmp/.kigo-message
mkdir -p "$message" /tmp/home /tmp/.kigo-before

# What is in directory $1, to see later whether it is still that.
listing() { (cd "$1" && find . -mindepth 1 | LC_ALL=C sort); }

# Whether nothing was changed in the restored directory $1.
unchanged() {
    local before=/tmp/.kigo-before/${1//\//%}
    [ -f "$before" ] && listing "/layers/$1" | cmp -s - "$before" \
        && [ -z "$(find "/layers/$1" -cnewer /tmp/.kigo-marker -print -quit)" ]
}

say() { [ ! -s "$order/say" ] || cat "$order/say"; }

# Runs the program that was named in the app's directory, in its own environment.
run_program() (
    mapfile -d '' -t variables < "$order/env"
    mapfile -d '' -t words < "$order/program"
    cd "$BUILD_DIR" && exec env -i "${variables[@]}" "${words[@]}"
)

detect() {
    : > /tmp/plan.toml
    run_program > /tmp/detect.out 2>&1
    printf '%s' "$?" > "$message/status"
    head -c 65536 /tmp/detect.out > "$message/output"
    cp /tmp/plan.toml "$message/plan"
}

build() {
    local layers
    layers=$(cat "$order/layers")
    cp "$order/plan" /tmp/plan.toml && mkdir -p "$layers" || return 1
    run_program
    printf '%s' "$?" > "$message/status"
    (
        cd "$layers" || exit 1
        {
            find . -mindepth 1 -maxdepth 1 -type f -name '*.toml' -printf 't %P\0'
            find . -mindepth 1 -maxdepth 1 -type d -printf 'd %P\0'
            find . -mindepth 2 -maxdepth 2 -xtype d \( -name bin -o -name lib -o -name include -o -name pkgconfig \) -printf 'p %P\0'
            find . -mindepth 3 -maxdepth 4 -xtype f \
                \( -path './*/env*/*' -o -path './*/exec.d/*' -o -path './*/profile.d/*' \) -printf 'f %P\0'
        } > "$message/listing"
        mkdir "$message/layers"
        {
            find . -mindepth 1 -maxdepth 1 -type f -name '*.toml' -print0
            find . -mindepth 3 -maxdepth 4 -xtype f -path './*/env*/*' -print0
        } | tar --null --no-recursion -T - -c | tar -C "$message/layers" -x
    )
}

# Sends the layers, without those that did not change, and the app.
export_all() {
    local layer list=/tmp/.kigo-list
    cd /layers || return 1
    find . -mindepth 2 -maxdepth 2 -type f -name '*.sbom.*.json' -print0 > "$list"
    while IFS= read -r layer; do
        if unchanged "$layer"; then
            printf '%s\n' "$layer" >> "$result/unchanged"
        else
            find "./$layer" \( -type p -o -type s \) -delete 2> /dev/null
            printf './%s\0' "$layer" >> "$list"
        fi
    done < "$order/send"
    if [ -s "$list" ]; then
        tar --numeric-owner --null --verbatim-files-from -T "$list" -c > /kigo/pipes/layers || return 1
    fi
    cd /
    send app "$BUILD_DIR"
}

step copy
copy_source || exit 1
cp -a /kigo/env /platform/env || exit 1
while IFS= read -r layer; do
    listing "/layers/$layer" > "/tmp/.kigo-before/${layer//\//%}"
done < /kigo/restored
touch /tmp/.kigo-marker
(source_exports; exec env -0) > "$message/env"

while :; do
    step ask
    ask || exit 1
    say
    [ ! -s "$order/ignore" ] || while IFS= read -r -d '' layer; do
        rm -rf "$layer.ignore" && mv "$layer" "$layer.ignore"
    done < "$order/ignore"
    case $(cat "$order/do") in
        detect) detect ;;
        build) build ;;
        export)
            step export
            export_all
            exit
            ;;
        *) exit 1 ;;
    esac
done
