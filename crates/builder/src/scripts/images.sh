# Builds the images that are named in $KIGO_IMAGES and sends them as one OCI image layout. Runs as the
# container's root, with the power over images; what Dockerfiles run gets less of buildah.
#
# /kigo/bases/<number>      images that Dockerfiles begin from; their names are in /kigo/bases/names
# /kigo/images/<type>       arguments of `buildah build`, each ended by a zero byte

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
cd /

while read -r number name; do
    tell failed "$name"
    step base
    image=$(buildah pull "${policy[@]}" --quiet "oci:/kigo/bases/$number") && buildah tag "$image" "$name" || exit 1
done < /kigo/bases/names

for type in $KIGO_IMAGES; do
    tell failed "$type"
    step build
    mapfile -d '' -t arguments < "/kigo/images/$type"
    heading "Building $type (${arguments[0]#--file=/kigo/source/})"
    # Nothing of /kigo but the source is anybody's.
    indented buildah build "${policy[@]}" --tag "localhost/kigo-built-$type" "${arguments[@]}" || exit 1
    step keep
    buildah push "${policy[@]}" --quiet "localhost/kigo-built-$type" "oci:/var/tmp/images:$type" > /dev/null || exit 1
done
step send
send images /var/tmp/images
