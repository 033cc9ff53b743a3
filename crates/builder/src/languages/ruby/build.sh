# Installs the gems of a Ruby app in $BUILD_DIR and makes its assets. What is to be done was decided
# before and is in KIGO_* variables.

. /kigo/common.sh

place=/app/vendor/bundle

step copy
# What was checked in as vendor/bundle would lie over the gems.
mkdir -p "$BUILD_DIR" || exit 1
(cd /kigo/source && tar --exclude=./vendor/bundle -c .) | tar -C "$BUILD_DIR" -x || exit 1
chmod 755 "$BUILD_DIR"
cd "$BUILD_DIR" || exit 1
mkdir -p "$place" vendor || exit 1
[ "$BUILD_DIR" = /app ] || ln -sfn "$place" vendor/bundle || exit 1

step settings
source_exports
export_config_vars
# The profile's defaults hold in builds too.
. /kigo/ruby-profile.sh
export PATH="$BUILD_DIR/bin:$PATH"
export NOKOGIRI_USE_SYSTEM_LIBRARIES=true BUNDLE_DISABLE_VERSION_CHECK=true BUNDLE_GEMFILE=$BUILD_DIR/Gemfile
export NODE_OPTIONS=${NODE_OPTIONS:---max_old_space_size=2560}
case $BUNDLE_WITHOUT in *' '*) BUNDLE_WITHOUT=${BUNDLE_WITHOUT// /:} ;; esac

gems_state() {
    find "$place" -mindepth 1 -printf '%p\t%y\t%C@\t%s\n'
}

if [ "$KIGO_INSTALLED" = 1 ]; then
    step version
    indented ruby /kigo/ruby-version.rb "$result" || exit $?
    heading "Using the gems of the last build (nothing that decides them has changed)"
else
    step install
    restored=$(ls -A "$place")
    heading "Installing dependencies using $(bundle --version | sed 's/Bundler version/bundler/')"
    detail "Running: BUNDLE_WITHOUT='$BUNDLE_WITHOUT' BUNDLE_PATH=vendor/bundle BUNDLE_DEPLOYMENT=$BUNDLE_DEPLOYMENT bundle install -j4"
    status=0
    indented bundle install -j4 --no-clean || status=$?
    if [ "$status" != 0 ]; then
        # Bundler refuses another Ruby, and a Gemfile that is none, before it does anything.
        step version
        ! ruby /kigo/ruby-version.rb "$result" > /dev/null 2>&1 || step install
        exit "$status"
    fi
    [ -z "$restored" ] || bundle clean > /dev/null 2>&1
    # Downloads and what compilers left are of no use to the app.
    rm -rf "$place"/ruby/*/cache
    find "$place" \( -name '*.o' -o -name mkmf.log -o -name gem_make.out \) -path '*/ext*' -type f -delete
    find "$place" -type d -name .git -prune -exec rm -rf {} +
    step pack
    send installed "$place" || exit 1
fi
gems_state > /tmp/gems.installed

step settings
chmod -f +x bin/* 2> /dev/null
if [ "$KIGO_NEEDS_NODE" = 1 ] && ! command -v node > /dev/null; then
    warning "Node.js is not installed, and this app looks as if its assets need it." \
        "Put its buildpack before this one: \`heroku buildpacks:add --index 1 heroku/nodejs\`."
fi

has_rakefile() { for name in Rakefile rakefile rakefile.rb Rakefile.rb; do [ ! -f "$name" ] || return 0; done; return 1; }
has_task() { grep -q "^rake $1\$" /tmp/tasks; }
has_manifest() { compgen -G 'public/assets/.sprockets-manifest-*.json' > /dev/null || compgen -G 'public/assets/manifest-*.json' > /dev/null || [ -f public/assets/.manifest.json ]; }
rake() {
    if [ -n "$KIGO_DATABASE_URL" ] && [ -z "${DATABASE_URL:-}" ]; then
        DATABASE_URL=$KIGO_DATABASE_URL bundle exec rake "$@"
    else
        bundle exec rake "$@"
    fi
}
# A Rails app does not start without one; that of dynos is a config var, which the first build makes.
export SECRET_KEY_BASE=${SECRET_KEY_BASE:-$(od -An -N64 -tx1 /dev/urandom | tr -d ' \n')}

keeps_assets=0
# Tests need no assets, or make them.
if [ "$KIGO_TEST" = 0 ] && has_rakefile; then
    step tasks
    if ! rake -P > /tmp/tasks 2> /tmp/tasks.errors; then
        indented cat /tmp/tasks.errors
        [ "$KIGO_RAILS" = 0 ] || exit 1
        detail "Could not detect rake tasks: \`bundle exec rake -P\` failed."
        : > /tmp/tasks
    fi
    step assets
    if ! has_task assets:precompile; then
        :
    elif has_manifest; then
        detail "Detected manifest file, assuming assets were compiled locally"
    else
        if has_task assets:clean; then
            keeps_assets=1
            open_directory assets
            mkdir -p public/assets tmp/cache/assets || exit 1
            [ ! -d /kigo-cache/assets/public ] || cp -an /kigo-cache/assets/public/. public/assets/ || exit 1
            [ ! -d /kigo-cache/assets/cache ] || cp -a /kigo-cache/assets/cache/. tmp/cache/assets/ || exit 1
        fi
        heading "Preparing app for Rails asset pipeline"
        detail "Running: rake assets:precompile"
        indented rake assets:precompile || exit $?
        if [ "$keeps_assets" = 1 ]; then
            detail "Cleaning assets"
            indented rake assets:clean || exit $?
            # What has not been used for a month, or is too much.
            find tmp/cache/assets -type f -mtime +30 -delete
            [ "$(du -sm tmp/cache/assets | cut -f 1)" -le 50 ] || find tmp/cache/assets -mindepth 1 -delete
            mkdir -p /kigo-cache/assets/public /kigo-cache/assets/cache || exit 1
            rsync -rl --checksum --delete public/assets/ /kigo-cache/assets/public/ || exit 1
            rsync -rl --checksum --delete tmp/cache/assets/ /kigo-cache/assets/cache/ || exit 1
            rm -rf tmp/cache/assets
        fi
    fi
fi

step pack
gems_state > /tmp/gems.built
mkdir -p .profile.d && cp /kigo/ruby-profile.sh .profile.d/ruby.sh || exit 1
# Another buildpack's figures are not for Ruby.
: > .profile.d/WEB_CONCURRENCY.sh
leave_out=()
if cmp --quiet /tmp/gems.installed /tmp/gems.built; then
    tell gems shared
    leave_out+=(--exclude=./vendor/bundle)
elif [ "$BUILD_DIR" != /app ]; then
    rm vendor/bundle && cp -a "$place" vendor/bundle || exit 1
fi
cd /
send app "$BUILD_DIR" "${leave_out[@]}" || exit 1
[ "$keeps_assets" = 0 ] || close_directory assets
