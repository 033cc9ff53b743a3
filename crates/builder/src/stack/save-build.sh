#!/bin/sh
# Run by mmdebstrap, on the host, with the new root as its argument, once the packages for builds
# are installed as well: archives what that changed as the build layer.
set -eu
root=$1
[ -n "$root" ] && [ "$root" != / ] && [ -d "$root/var/lib/dpkg" ]
. "$KIGO_HOOKS/common.sh"
cd "$root"
listed > "$KIGO_OUT/after"
listed -cnewer "$KIGO_OUT/marker" > "$KIGO_OUT/changed"
tar_layer -f "$KIGO_OUT/build.tar" -T "$KIGO_OUT/changed"
# What is gone becomes a whiteout, unless its whole directory is gone.
mkdir "$KIGO_OUT/gone"
tr '\0' '\n' < "$KIGO_OUT/before" > "$KIGO_OUT/before.lines"
tr '\0' '\n' < "$KIGO_OUT/after" > "$KIGO_OUT/after.lines"
comm -23 "$KIGO_OUT/before.lines" "$KIGO_OUT/after.lines" | while IFS= read -r path; do
    parent=${path%/*}
    [ -d "$parent" ] || continue
    mkdir -p "$KIGO_OUT/gone/$parent"
    : > "$KIGO_OUT/gone/$parent/.wh.${path##*/}"
done
cd "$KIGO_OUT/gone"
find . -name '.wh.*' -print0 | LC_ALL=C sort -z > "$KIGO_OUT/whiteouts"
tar_layer -r -f "$KIGO_OUT/build.tar" -T "$KIGO_OUT/whiteouts"
