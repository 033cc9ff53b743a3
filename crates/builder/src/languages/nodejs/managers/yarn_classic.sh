# Yarn 1, for build.sh.

outdated='Your lockfile needs to be updated'

manager_settings() {
    export YARN_CACHE_FOLDER=/tmp/yarn-cache
    # It would download node-gyp otherwise.
    PATH=$PATH:/app/.heroku/node/lib/node_modules/npm/bin/node-gyp-bin
}

manager_install() {
    local production=false locked=() status=0
    [ "$KIGO_DEVELOPMENT" = 1 ] || production=true
    [ "$KIGO_LOCKED" = 0 ] || locked=(--frozen-lockfile)
    detail "Installing node modules $(with_lockfile)"
    # Its lockfile names the registry. Where that is belongs to the host that builds.
    if [ -f yarn.lock ]; then
        cp -p yarn.lock /tmp/yarn.lock
        sed -i -E "s#^(  resolved \"?)https://registry\.(yarnpkg\.com|npmjs\.org)/#\1$KIGO_REGISTRY#" yarn.lock
    fi
    logged yarn install --non-interactive --production="$production" "${locked[@]}" --ignore-engines || status=$?
    [ ! -f /tmp/yarn.lock ] || cp -p /tmp/yarn.lock yarn.lock
    return "$status"
}

manager_prune() {
    indented yarn install --non-interactive --production=true --frozen-lockfile --ignore-engines \
        --ignore-scripts --prefer-offline
}

manager_run() {
    indented yarn run "$@"
}
