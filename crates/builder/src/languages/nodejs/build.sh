# Installs, builds and prunes a Node.js app in $BUILD_DIR. What is to be done was decided before
# and is in KIGO_* variables; how a package manager does it is in nodejs-manager.sh.

. /kigo/common.sh
. /kigo/nodejs-manager.sh

# What an installation makes: directories, and the files of Plug'n'Play.
find_packages() {
    find . \( -path ./.heroku -o -name .git \) -prune -o \
        \( -type d -name node_modules -o -path './.pnp.*' -o -path ./.yarn/cache -o -path ./.yarn/unplugged \
        -o -path ./.yarn/install-state.gz -o -path ./.yarn/build-state.yml \) -prune -print | LC_ALL=C sort
}

# Everything about them that changes when they do. Caches that tools keep among them are no part of
# an installation, nor is pnpm's note of when it last looked at them.
packages_state() {
    [ ${#packages[@]} -gt 0 ] || return 0
    find "${packages[@]}" \( -path '*/node_modules/.cache' -o -path '*/node_modules/.vite*' \
        -o -path '*/node_modules/.pnpm-workspace-state*' \) -prune \
        -o ! -name node_modules -printf '%p\t%y\t%C@\t%s\n' 2> /dev/null
}

# Tells of the first difference between two states: packages that scripts have changed are the app's
# own, and sent with it in every build.
note_change() {
    local path
    cmp --quiet "$1" "$2" && return
    changed=1
    path=$(diff "$1" "$2" | sed -n '2s/^..\([^\t]*\).*/\1/p')
    [ "$KIGO_SHARE" = 0 ] || detail "The dependencies are not kept apart from the app: its scripts changed ${path#./}"
}

# Brings back what the app has asked to find again.
restore_directories() {
    local directory
    [ "$KIGO_CACHED" = 1 ] || return 0
    heading "Restoring cache"
    open_directory nodecache
    while read -r directory; do
        if [ -e "$directory" ]; then
            detail "- $directory (exists - skipping)"
        elif [ -e "/kigo-cache/nodecache/$directory" ]; then
            detail "- $directory"
            mkdir -p "$(dirname "$directory")" && cp -a "/kigo-cache/nodecache/$directory" "$directory" || return 1
        else
            detail "- $directory (not cached - skipping)"
        fi
    done < /kigo/nodejs-cached
}

save_directories() {
    local directory
    [ "$KIGO_CACHED" = 1 ] || return 0
    heading "Caching build"
    while read -r directory; do
        if [ -d "$directory" ]; then
            detail "- $directory"
            mkdir -p "/kigo-cache/nodecache/$directory" \
                && rsync -a --delete "$directory/" "/kigo-cache/nodecache/$directory/" || return 1
        else
            detail "- $directory (nothing to cache)"
        fi
    done < /kigo/nodejs-cached
    close_directory nodecache
}

# Sends them through pipe $1.
send_packages() {
    find "${packages[@]}" \( -type p -o -type s \) -delete 2> /dev/null
    find "${packages[@]}" -maxdepth 0 -print0 2> /dev/null \
        | tar --numeric-owner --sort=name --exclude='*/node_modules/.cache' --exclude='*/node_modules/.vite*' \
            --null -T - -c > "/kigo/pipes/$1"
}

# Whether installing them runs programs of theirs.
packages_have_scripts() {
    grep -rqE --include=package.json '"(pre|post)?install"[[:space:]]*:' "${packages[@]}" \
        || [ -n "$(find "${packages[@]}" -name binding.gyp -print -quit)" ]
}

# Runs a command as `indented` does, and keeps what it prints in /tmp/log.
logged() {
    local status=0 pid
    printf '\002indent\n'
    : > /tmp/log
    "$@" > /tmp/log 2>&1 &
    pid=$!
    tail -n +1 -f -s 0.1 --pid="$pid" /tmp/log
    wait "$pid" || status=$?
    printf '\003indent\n'
    return "$status"
}

# Takes the app's own scripts that belong to an installation out of package.json, and puts them back:
# they run in every build, in the same way whether or not something is installed, so that what is
# kept depends on nothing of the app but what decides it.
withhold_scripts() {
    mkdir -p /tmp/withheld
    while read -r directory; do
        cp -p --parents "$directory/package.json" /tmp/withheld || return 1
    done < /kigo/nodejs-withheld
    node -e '
        const fs = require("fs");
        for (const directory of fs.readFileSync("/kigo/nodejs-withheld", "utf8").split("\n").filter(Boolean)) {
            const file = directory + "/package.json";
            const text = fs.readFileSync(file, "utf8").replace(/^\uFEFF/, "");
            const app = JSON.parse(text);
            for (const name of process.argv.slice(1)) delete app.scripts[name];
            fs.writeFileSync(file, JSON.stringify(app));
        }
    ' $KIGO_LIFECYCLE
}

# For what package managers say that they do.
with_lockfile() {
    if [ "$KIGO_LOCKED" = 1 ]; then echo "with $KIGO_LOCKFILE"; else echo "without a lockfile"; fi
}

# $1 is what to do in the meantime.
without_scripts() {
    local status=0
    [ -s /kigo/nodejs-withheld ] || { "$1"; return; }
    withhold_scripts || return 1
    "$1" || status=$?
    cp -a /tmp/withheld/. . || return 1
    return "$status"
}

run_script() {
    detail "Running $1"
    manager_run "$@"
}

# Runs the scripts of list $1.
run_scripts() {
    local directory script
    while IFS=$'\t' read -r directory script <&3; do
        [ "$directory" = . ] || detail "In $directory:"
        (cd "$directory" && run_script "$script") || return $?
    done 3< "$1"
}

step copy
mkdir -p "$HOME" "$BUILD_DIR" && cd "$BUILD_DIR" || exit 1
# For package managers that find it there only.
ln -sf /kigo/host/npmrc "$HOME/.npmrc"
packages=()
if [ "$KIGO_INSTALLED" = 1 ]; then
    mapfile -t packages < <(find_packages)
    packages_state > /tmp/packages.installed
fi
copy_source || exit 1

step settings
source_exports
export_config_vars
export PATH="/app/.heroku/node/bin:$PATH:$BUILD_DIR/node_modules/.bin"
export NODE_ENV=${NODE_ENV:-production}
export NODE_VERBOSE=${NODE_VERBOSE:-false}
export NODE_MODULES_CACHE=${NODE_MODULES_CACHE:-true}
export NODE_OPTIONS=${NODE_OPTIONS:---max_old_space_size=2560}
export NPM_CONFIG_LOGLEVEL=${NPM_CONFIG_LOGLEVEL:-error}
# Headers for packages that are compiled.
export NPM_CONFIG_NODEDIR=/usr/local/kigo/node npm_config_nodedir=/usr/local/kigo/node
leave_out=()
# For dynos, from the package manager.
profile=
manager_settings

heading "Creating runtime environment"
detail ""
for name in NPM_CONFIG_LOGLEVEL NPM_CONFIG_PRODUCTION YARN_PRODUCTION NODE_VERBOSE NODE_ENV NODE_MODULES_CACHE; do
    [ -z "${!name:-}" ] || detail "$name=${!name}"
done
detail ""

step copy
restore_directories || exit 1

if [ "$KIGO_PREBUILD" = 1 ]; then
    step prebuild
    heading "Prebuild"
    run_script heroku-prebuild || exit $?
fi

heading "Installing dependencies"
step lifecycle
run_scripts /kigo/nodejs-before || exit $?
step install
if [ "$KIGO_INSTALLED" = 1 ]; then
    detail "Using the dependencies of the last build (nothing that decides them has changed)"
else
    find_packages > /tmp/packages.before
    status=0
    without_scripts manager_install || status=$?
    if [ "$status" != 0 ]; then
        ! grep -qsE "$outdated" /tmp/log || step outdated
        exit "$status"
    fi
    # What was there before is the app's own. That nothing was installed is worth keeping, too.
    mapfile -t packages < <(find_packages | LC_ALL=C comm -13 /tmp/packages.before -)
    [ ${#packages[@]} -gt 0 ] || { mkdir -p node_modules && packages=(./node_modules); }
    tell scripts "$(packages_have_scripts && echo some || echo none)"
    if [ "$KIGO_SEND_FULL" = 1 ]; then
        step pack
        send_packages full || exit 1
    fi
    packages_state > /tmp/packages.installed
fi

step lifecycle
run_scripts /kigo/nodejs-after || exit $?

if [ -n "$KIGO_BUILD_SCRIPT" ]; then
    step build
    heading "Build"
    [ "$KIGO_TWO_BUILD_SCRIPTS" = 0 ] || detail 'Detected both "build" and "heroku-postbuild" scripts'
    flags=()
    if [ "$KIGO_BUILD_SCRIPT" = build ] && [ -n "${NODE_BUILD_FLAGS:-}" ]; then
        detail "Running with $NODE_BUILD_FLAGS flags"
        flags=("$NODE_BUILD_FLAGS")
    fi
    run_script "$KIGO_BUILD_SCRIPT" "${flags[@]}" || exit $?
fi

step pack
save_directories || exit 1

packages_state > /tmp/packages.built
changed=0
note_change /tmp/packages.installed /tmp/packages.built

step prune
pruned=0
if [ "$KIGO_PRUNE" = 1 ]; then
    heading "Pruning devDependencies"
    if [ "$changed" = 0 ] && [ "$KIGO_HAVE_PRUNED" = 1 ]; then
        detail "Using the pruned dependencies of the last build"
    else
        without_scripts manager_prune || exit $?
        pruned=1
    fi
elif [ -n "$KIGO_KEPT_BECAUSE" ]; then
    heading "Pruning devDependencies"
    detail "Skipping because $KIGO_KEPT_BECAUSE"
fi
packages_state > /tmp/packages.pruned

if [ "$KIGO_CLEANUP" = 1 ]; then
    step cleanup
    heading "Cleanup"
    run_script heroku-cleanup || exit $?
    packages_state > /tmp/packages.cleaned
    note_change /tmp/packages.pruned /tmp/packages.cleaned
fi

step pack
heading "Build succeeded!"
detail ""
mkdir -p .profile.d && { cat /kigo/nodejs-profile.sh; printf '%s\n' "$profile"; } > .profile.d/nodejs.sh \
    && cp /kigo/nodejs-concurrency.sh .profile.d/WEB_CONCURRENCY.sh || exit 1

if [ "$KIGO_SHARE" = 1 ] && [ "$changed" = 0 ]; then
    if [ "$pruned" = 1 ] || [ "$KIGO_HAVE_PRUNED" = 0 ]; then
        send_packages pruned || exit 1
    fi
    tell packages shared
    leave_out+=("${packages[@]}")
fi
[ "$KIGO_ALONE" = 0 ] || leave_out+=(./.heroku/node)
cd /
printf '%s\n' "${leave_out[@]}" > /tmp/leave-out
send app "$BUILD_DIR" --no-wildcards --anchored --exclude-from=/tmp/leave-out || exit 1
