# Builds the images that are named in $KIGO_IMAGES and sends them as one OCI image layout. Runs as the
# container's root, with the power over images; what Dockerfiles run gets less of buildah.
#
# /kigo/bases/<number>      images that Dockerfiles begin from; their names are in /kigo/bases/names
# /kigo/images/<type>       arguments of `buildah build`, each ended by a zero byte
# /kigo-cache/steps         images that steps of Dockerfiles made in the build before, and their ids

# buildah changes the flags of the mount that its root is, and those of a container's root are locked:
# it gets a root of its own, with the same directories in it.
enter() {
    local entry root=/mnt
    export LIBMOUNT_FORCE_MOUNT2=always
    mount -t tmpfs -o mode=755 root "$root" || exit
    for entry in /*; do
        if [ -L "$entry" ]; then
            cp -P "$entry" "$root" || exit
        elif [ -d "$entry" ] && [ "$entry" != "$root" ]; then
            { mkdir "$root$entry" && mount --rbind "$entry" "$root$entry"; } || exit
        fi
    done
    exec chroot "$root" /bin/bash /kigo/images.sh inside
}
[ "${1-}" = inside ] || enter

. /kigo/common.sh

export HOME=/root TMPDIR=/var/tmp BUILDAH_ISOLATION=chroot _CONTAINERS_USERNS_CONFIGURED=done
export CONTAINERS_STORAGE_CONF=/kigo/storage.conf CONTAINERS_REGISTRIES_CONF=/kigo/registries.conf
policy=(--signature-policy /kigo/policy.json)
steps=/kigo-cache/steps made=/var/lib/containers/made logs=/var/lib/containers/logs
mkdir "$logs"
cd /

# Builds the image of type $1, and has what buildah says in a file.
build() {
    local type=$1 log=$logs/$1 pid
    shift
    : > "$log"
    buildah build "${policy[@]}" --tag "localhost/kigo-built-$type" "$@" > "$log" 2>&1 &
    pid=$!
    tail --pid="$pid" --sleep-interval=0.2 --lines=+1 --follow "$log"
    wait "$pid"
}

# Sends the images of all steps that were made or used, in their order, unless they are those that were
# there. No more than a few: each takes a moment to be restored, however little is in it.
keep_steps() {
    local id number=0 new=/var/lib/containers/steps
    mkdir "$new" || return
    buildah images --all --quiet | sort -u > "$new/known"
    sed -nE 's/^--> (Using cache )?([0-9a-f]{12})[0-9a-f]*$/\2/p' "$logs"/* | awk '!seen[$0]++' \
        | grep -Fxf "$new/known" | head -n 60 > "$new/ids"
    rm "$new/known"
    cmp -s "$new/ids" "$steps/ids" && return
    # Most of them lie there already, compressed.
    mkdir "$new/images" && cp -al "$made/blobs" "$new/images" || return
    while read -r id; do
        number=$((number + 1))
        buildah push "${policy[@]}" --quiet "$id" "oci:$new/images:localhost/kigo-step-$number" > /dev/null || return
    done < "$new/ids"
    tell cache.steps whole
    send steps "$new"
}

while read -r number name; do
    tell failed "$name"
    step base
    image=$(buildah pull "${policy[@]}" --quiet "oci:/kigo/bases/$number") && buildah tag "$image" "$name" || exit 1
done < /kigo/bases/names

# What steps made is taken for a cache when it is there under whatever name.
if [ -f "$steps/ids" ]; then
    heading "Restoring the build cache"
    for number in $(seq "$(wc -l < "$steps/ids")"); do
        buildah pull "${policy[@]}" --quiet "oci:$steps/images:localhost/kigo-step-$number" > /dev/null 2>&1 || break
    done
fi

for type in $KIGO_IMAGES; do
    tell failed "$type"
    step build
    mapfile -d '' -t arguments < "/kigo/images/$type"
    heading "Building $type (${arguments[0]#--file=/kigo/source/})"
    # Nothing of /kigo but the source is anybody's.
    indented build "$type" "${arguments[@]}" || exit 1
    step keep
    buildah push "${policy[@]}" --quiet "localhost/kigo-built-$type" "oci:$made:$type" > /dev/null || exit 1
done
step send
send images "$made"
keep_steps || detail "The build cache could not be kept."
