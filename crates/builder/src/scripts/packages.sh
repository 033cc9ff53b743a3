# Installs $KIGO_PACKAGES and sends what that changed as a layer. Runs as the container's root.

. /kigo/common.sh
. /kigo/changes.sh

export APT_CONFIG=/kigo/apt.conf DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
cd /

step before
listed > /tmp/before
: > /tmp/marker
# A file's time tells whether it changed, so the next change must not fall into the same tick.
until [ /tmp/later -nt /tmp/marker ]; do : > /tmp/later; done

# Lists serve for an hour: most sets are wanted in the first minutes of a stack.
if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mmin -60 -print -quit)" ]; then
    step update
    apt-get update -qq || exit 1
    # Unchanged lists keep their times.
    find /var/lib/apt/lists -maxdepth 1 -type f -exec touch {} +
fi

step install
# Nothing may be started, and a new configuration file is nobody's yet.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# Packages with alternatives link their manual pages, which are left out, and fail without the folder.
manual=/usr/share/man/man1
[ -e "$manual" ] && manual= || mkdir -p "$manual"
# shellcheck disable=SC2086
if ! apt-get install -qq --yes $KIGO_PACKAGES > /tmp/apt.log 2>&1; then
    # What was listed may be replaced already.
    apt-get update -qq && apt-get install -qq --yes $KIGO_PACKAGES > /tmp/apt.log 2>&1 || {
        grep -v '^\(Selecting\|Preparing\|Unpacking\|(Reading\)' /tmp/apt.log | tail -n 20 | sed 's/^/ !     /'
        exit 1
    }
fi
rm -f /usr/sbin/policy-rc.d
[ -z "$manual" ] || rm -rf "$manual"
ldconfig

step pack
listed > /tmp/after
listed -cnewer /tmp/marker > /tmp/changed
mkdir /tmp/gone
gone /tmp/before /tmp/after /tmp/gone
tar_layer -f /tmp/layer.tar -T /tmp/changed
(cd /tmp/gone && tar_layer -r -f /tmp/layer.tar -T /tmp/gone.list)
cat /tmp/layer.tar > /kigo/pipes/packages
