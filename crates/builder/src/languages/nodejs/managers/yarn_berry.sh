# Yarn 2 and later, for build.sh.

outdated='YN0028|The lockfile would have been (modified|created)'

manager_settings() {
    export YARN_GLOBAL_FOLDER=/tmp/yarn-global YARN_ENABLE_GLOBAL_CACHE=false
    export YARN_ENABLE_TELEMETRY=false YARN_ENABLE_PROGRESS_BARS=false YARN_ENABLE_COLORS=false
    export YARN_ENABLE_INLINE_BUILDS=true
    profile='export YARN_ENABLE_TELEMETRY=${YARN_ENABLE_TELEMETRY:-false}'
    # With Plug'n'Play the app runs from the cache. With node_modules nothing needs it any more.
    export YARN_CACHE_FOLDER=$BUILD_DIR/.yarn/cache
    if [ "$KIGO_NODE_MODULES" = 1 ]; then
        leave_out+=(./.yarn/cache)
        checked_in_cache || export YARN_CACHE_FOLDER=/tmp/yarn-cache
    fi
    # The app's own registry wins.
    grep -qs '^npmRegistryServer:' .yarnrc.yml \
        || export YARN_NPM_REGISTRY_SERVER=${YARN_NPM_REGISTRY_SERVER:-${KIGO_REGISTRY%/}}
}

checked_in_cache() {
    [ -n "$(ls -A /kigo/source/.yarn/cache 2> /dev/null)" ]
}

manager_install() {
    local settings=()
    detail "Running 'yarn install' $(with_lockfile)"
    # What is checked in has to be complete.
    ! checked_in_cache || settings+=("YARN_ENABLE_IMMUTABLE_CACHE=${YARN_ENABLE_IMMUTABLE_CACHE:-true}")
    settings+=("YARN_ENABLE_IMMUTABLE_INSTALLS=$([ "$KIGO_LOCKED" = 1 ] && echo true || echo false)")
    logged env "${settings[@]}" yarn install
}

manager_prune() {
    printf '%s\n' "$prune_plugin" > /tmp/yarn-prune.cjs
    indented env YARN_PLUGINS=/tmp/yarn-prune.cjs YARN_ENABLE_IMMUTABLE_INSTALLS=false \
        YARN_ENABLE_IMMUTABLE_CACHE=false yarn kigo prune
}

manager_run() {
    # Before anything is installed it runs nothing.
    local yarn=npm
    [ ! -e "$BUILD_DIR/.yarn/install-state.gz" ] && [ ! -e "$BUILD_DIR/.pnp.cjs" ] || yarn=yarn
    indented "$yarn" run "$@"
}
