# pnpm, for build.sh.

outdated='ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_LOCKFILE_CONFIG_MISMATCH|ERR_PNPM_LOCKFILE_BREAKING_CHANGE'

manager_settings() {
    # Versions up to 10 read the one, later ones the other.
    export npm_config_store_dir=/tmp/pnpm-store pnpm_config_store_dir=/tmp/pnpm-store
    # Tokens that the app's settings take from config vars it reads from a user's settings only, for
    # elsewhere a repository is a stranger's.
    if [ -f .npmrc ]; then
        rm -f "$HOME/.npmrc"
        { cat /kigo/host/npmrc; echo; cat .npmrc; } > "$HOME/.npmrc"
        export NPM_CONFIG_USERCONFIG=$HOME/.npmrc
    fi
    # It is the version that the app wants already.
    export npm_config_manage_package_manager_versions=false pnpm_config_pm_on_fail=ignore
    # It would not show what the scripts of a workspace print, not even why they fail.
    [ -e /kigo/env/NPM_CONFIG_LOGLEVEL ] || unset NPM_CONFIG_LOGLEVEL
    # From version 11 on it looks at every start whether packages fit, and changes them. The build has
    # seen to that. Version 10 would take this text for something else.
    if [ "${KIGO_MANAGER_VERSION%%.*}" -ge 11 ]; then
        export pnpm_config_verify_deps_before_run=${pnpm_config_verify_deps_before_run:-false}
        profile='export pnpm_config_verify_deps_before_run=${pnpm_config_verify_deps_before_run:-false}'
    fi
}

manager_install() {
    local production=false locked=--no-frozen-lockfile
    [ "$KIGO_DEVELOPMENT" = 1 ] || production=true
    [ "$KIGO_LOCKED" = 0 ] || locked=--frozen-lockfile
    detail "Running 'pnpm install' $(with_lockfile)"
    # Without a terminal it asks nothing then.
    logged env CI=true pnpm install --prod="$production" "$locked" --reporter="${PNPM_INSTALL_REPORTER:-append-only}"
}

# Not with its `prune`, which knows no workspaces. What is not needed any more it would keep for a
# week.
manager_prune() {
    indented env CI=true pnpm install --prod --frozen-lockfile --offline \
        --config.modules-cache-max-age=0 --reporter=append-only
}

manager_run() {
    indented pnpm run "$@"
}
