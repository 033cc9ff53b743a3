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
mkdir "$KIGO_OUT/gone"
gone "$KIGO_OUT/before" "$KIGO_OUT/after" "$KIGO_OUT/gone"
cd "$KIGO_OUT/gone"
tar_layer -r -f "$KIGO_OUT/build.tar" -T "$KIGO_OUT/gone.list"
