# npm, for build.sh.

outdated='can only install .* in sync|cipm can only install|package-lock.json.* are not in sync'

manager_settings() {
    export NPM_CONFIG_CACHE=/tmp/npm-cache NPM_CONFIG_LOGS_MAX=0
    export NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false
    # Where the registry is belongs to the host that builds, not to the app.
    export NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED=true
}

manager_install() {
    local development=--include=dev
    [ "$KIGO_DEVELOPMENT" = 1 ] || development=--omit=dev
    if [ "$KIGO_LOCKED" = 1 ]; then
        detail "Installing node modules (npm ci)"
        logged npm ci "$development"
    else
        detail "Installing node modules (npm install)"
        logged npm install "$development" --no-package-lock
    fi
}

manager_prune() {
    indented npm prune --omit=dev --ignore-scripts
}

manager_run() {
    local script=$1
    shift
    [ $# -eq 0 ] || set -- -- "$@"
    indented npm run "$script" "$@"
}
