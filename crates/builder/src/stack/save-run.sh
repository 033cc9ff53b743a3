#!/bin/sh
# Run by mmdebstrap, on the host, with the new root as its argument, once everything that dynos
# need is installed: archives the root as the run layer.
set -eu
root=$1
[ -n "$root" ] && [ "$root" != / ] && [ -d "$root/var/lib/dpkg" ]
. "$KIGO_HOOKS/common.sh"
cd "$root"
listed > "$KIGO_OUT/before"
tar_layer -f "$KIGO_OUT/run.tar" -T "$KIGO_OUT/before"
: > "$KIGO_OUT/marker"
echo "I: the run image is complete; adding what builds need..."
