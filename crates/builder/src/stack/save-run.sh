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
# What was left out but has to be there: places to mount something on, and apt's sources without
# the password that the mirror may want.
mkdir -p "$KIGO_OUT/more/proc" "$KIGO_OUT/more/sys" "$KIGO_OUT/more/dev" "$KIGO_OUT/more/etc/apt"
sed 's#://[^@/ ]*@#://#' etc/apt/sources.list > "$KIGO_OUT/more/etc/apt/sources.list"
cd "$KIGO_OUT/more"
printf './dev\0./etc/apt/sources.list\0./proc\0./sys\0' | tar_layer -r -f "$KIGO_OUT/run.tar" -T -
: > "$KIGO_OUT/marker"
echo "I: the run image is complete; adding what builds need..."
