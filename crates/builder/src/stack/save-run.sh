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
# Here other file systems are mounted now.
mkdir -p "$KIGO_OUT/mounts/proc" "$KIGO_OUT/mounts/sys" "$KIGO_OUT/mounts/dev"
cd "$KIGO_OUT/mounts"
printf './dev\0./proc\0./sys\0' | tar_layer -r -f "$KIGO_OUT/run.tar" -T -
: > "$KIGO_OUT/marker"
echo "I: the run image is complete; adding what builds need..."
