# Installs, builds and prunes a Node.js app in $BUILD_DIR. What is to be done was decided before
# and is in KIGO_* variables.

. /kigo/common.sh

step copy
mkdir -p "$HOME"
copy_source || exit 1
cd "$BUILD_DIR" || exit 1

step settings
source_exports
export_config_vars
export PATH="/app/.heroku/node/bin:$PATH:$BUILD_DIR/node_modules/.bin"
export NODE_ENV=${NODE_ENV:-production}
export NODE_VERBOSE=${NODE_VERBOSE:-false}
export NODE_MODULES_CACHE=${NODE_MODULES_CACHE:-true}
export NODE_OPTIONS=${NODE_OPTIONS:---max_old_space_size=2560}
export NPM_CONFIG_LOGLEVEL=${NPM_CONFIG_LOGLEVEL:-error}
export NPM_CONFIG_CACHE=/tmp/npm-cache
export NPM_CONFIG_NODEDIR=/usr/local/kigo/node
export NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false
# Where the registry is belongs to the host that builds, not to the app.
export NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED=true

heading "Creating runtime environment"
detail ""
detail "NPM_CONFIG_LOGLEVEL=$NPM_CONFIG_LOGLEVEL"
detail "NODE_VERBOSE=$NODE_VERBOSE"
detail "NODE_ENV=$NODE_ENV"
detail "NODE_MODULES_CACHE=$NODE_MODULES_CACHE"
detail ""

# Everything about the files in node_modules that changes when they do. Caches that tools keep
# there are no part of the installation.
modules_state() {
    [ -d node_modules ] || return 0
    find node_modules -mindepth 1 -path node_modules/.cache -prune -o -printf '%p\t%y\t%C@\t%s\n'
}

run_script() {
    detail "Running $1"
    detail ""
    indented npm run --silent "$1"
}

install_dependencies() {
    # The app's own scripts run below, in the same way whether or not something is installed, so
    # that what is kept depends on the lockfile only.
    if [ -n "$KIGO_LIFECYCLE" ]; then
        cp -p package.json /tmp/package.json || return 1
        node -e '
            const fs = require("fs");
            const app = JSON.parse(fs.readFileSync("package.json", "utf8").replace(/^\uFEFF/, ""));
            for (const name of process.argv.slice(1)) delete app.scripts[name];
            fs.writeFileSync("package.json", JSON.stringify(app));
        ' $KIGO_LIFECYCLE || return 1
    fi
    local status=0
    if [ "$KIGO_INSTALL" = ci ]; then
        detail "Installing node modules (npm ci)"
        indented npm ci --include=dev || status=$?
    else
        detail "Installing node modules (npm install)"
        indented npm install --include=dev --no-package-lock || status=$?
    fi
    if [ -n "$KIGO_LIFECYCLE" ]; then
        cp -p /tmp/package.json package.json || return 1
    fi
    return "$status"
}

if [ "$KIGO_PREBUILD" = 1 ]; then
    step prebuild
    heading "Prebuild"
    run_script heroku-prebuild || exit $?
fi

heading "Installing dependencies"
step install
if [ "$KIGO_INSTALLED" = 1 ]; then
    detail "Using the dependencies of the last build (nothing that decides them has changed)"
else
    install_dependencies || exit $?
    # Its list of packages names the registry that was used.
    if [ "$KIGO_SEND_FULL" = 1 ] && [ -d node_modules ]; then
        step pack
        send full node_modules || exit 1
    fi
fi
modules_state > /tmp/modules.installed

step lifecycle
for script in $KIGO_LIFECYCLE; do
    run_script "$script" || exit $?
done

if [ -n "$KIGO_BUILD_SCRIPT" ]; then
    step build
    heading "Build"
    run_script "$KIGO_BUILD_SCRIPT" || exit $?
fi

modules_state > /tmp/modules.built
changed=0
cmp --quiet /tmp/modules.installed /tmp/modules.built || changed=1

step prune
pruned=0
if [ "$KIGO_PRUNE" = 1 ] && [ "$KIGO_INSTALLED_PRUNED" = 0 ]; then
    heading "Pruning devDependencies"
    if [ "${NPM_CONFIG_PRODUCTION:-}" = false ]; then
        detail "Skipping because NPM_CONFIG_PRODUCTION is 'false'"
    elif [ "$NODE_ENV" != production ]; then
        detail "Skipping because NODE_ENV is not 'production'"
    elif [ "$changed" = 0 ] && [ "$KIGO_SHARE" = 1 ] && [ "$KIGO_HAVE_PRUNED" = 1 ]; then
        detail "Using the pruned dependencies of the last build"
    else
        indented npm prune --omit=dev || exit $?
        pruned=1
    fi
fi
modules_state > /tmp/modules.pruned

if [ "$KIGO_CLEANUP" = 1 ]; then
    step cleanup
    heading "Cleanup"
    run_script heroku-cleanup || exit $?
    modules_state > /tmp/modules.cleaned
    cmp --quiet /tmp/modules.pruned /tmp/modules.cleaned || changed=1
fi

step pack
heading "Build succeeded!"
detail ""
mkdir -p .profile.d && cp /kigo/nodejs-profile.sh .profile.d/nodejs.sh \
    && cp /kigo/nodejs-concurrency.sh .profile.d/WEB_CONCURRENCY.sh || exit 1

shared=0
if [ "$KIGO_SHARE" = 1 ] && [ "$changed" = 0 ] && [ -d node_modules ]; then
    shared=1
    if [ "$pruned" = 1 ] || [ "$KIGO_HAVE_PRUNED" = 0 ]; then
        send pruned node_modules --exclude=./.cache || exit 1
    fi
    tell node_modules shared
fi
cd /
leave_out=()
if [ "$KIGO_ALONE" = 1 ]; then
    leave_out+=(--exclude=./.heroku/node)
fi
if [ "$shared" = 1 ]; then
    leave_out+=(--exclude=./node_modules)
fi
send app "$BUILD_DIR" "${leave_out[@]}" || exit 1
