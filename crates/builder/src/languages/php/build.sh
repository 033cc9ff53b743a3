# Installs what a PHP app in $BUILD_DIR requires. What is to be done was decided before and is in
# KIGO_* variables.

. /kigo/common.sh

step copy
copy_source || exit 1
cd "$BUILD_DIR" || exit 1
# Packages of the last build are where the app will run.
if [ "$KIGO_SHARE" = 1 ] && [ "$BUILD_DIR" != /app ] && [ -d "/app/$KIGO_VENDOR" ]; then
    mkdir -p "$(dirname "$KIGO_VENDOR")" && cp -a "/app/$KIGO_VENDOR" "$KIGO_VENDOR" || exit 1
fi

step settings
source_exports
own_cache=$COMPOSER_CACHE_DIR
export_config_vars
export COMPOSER_CACHE_DIR=$own_cache COMPOSER_HOME=/tmp/composer COMPOSER_NO_INTERACTION=1 COMPOSER=$KIGO_COMPOSER
export PHP_INI_SCAN_DIR=":/tmp/php"
mkdir -p /tmp/php "$COMPOSER_HOME" && cp /kigo/heroku.ini /tmp/php || exit 1
# Tests need what development does.
production=(--no-dev)
[ "$KIGO_TEST" = 0 ] || production=()
# Nothing is run by Composer before it has installed what it runs.
[ -s "$COMPOSER" ] || echo '{}' > "$COMPOSER"

# What is in a directory, as long as nothing writes there.
contents() {
    [ -d "$1" ] || return 0
    find "$1" -mindepth 1 \( -type d -printf './%p\td\n' -o -printf './%p\t%y\t%T@\t%s\t%l\n' \) | LC_ALL=C sort
}

if [ "$KIGO_COMPOSER_INSTALLS" = 1 ]; then
    step install
    heading "Installing dependencies..."
    open_directory composer
    contents "$KIGO_VENDOR" > /tmp/vendor.installed
    if [ -n "${COMPOSER_GITHUB_OAUTH_TOKEN:-}" ]; then
        composer config --no-plugins --global github-oauth.github.com "$COMPOSER_GITHUB_OAUTH_TOKEN" || exit $?
        unset COMPOSER_GITHUB_OAUTH_TOKEN
    fi
    if ! composer validate --no-plugins --no-check-publish --no-check-all --quiet 2> /dev/null; then
        warning "Your '${COMPOSER%.json}.lock' is out of date!" \
            "Versions may be installed that were not meant. Run \`composer update\` and commit it."
    fi
    indented composer install "${production[@]}" --prefer-dist --optimize-autoloader --no-progress --no-interaction || exit $?
    if [ "$KIGO_SHARE" = 1 ] && [ "$KIGO_INSTALLED" = 0 ] && [ -d "$KIGO_VENDOR" ]; then
        step pack
        send installed "$KIGO_VENDOR" || exit 1
        contents "$KIGO_VENDOR" > /tmp/vendor.installed
    fi
fi

if [ "$KIGO_COMPOSER_COMPILES" = 1 ]; then
    step compile
    heading "Running 'composer compile'..."
    indented composer run-script "${production[@]}" --no-interaction compile || exit $?
fi

step pack
heading "Preparing runtime environment..."
mkdir -p .heroku/php/bin .heroku/php/conf.d .profile.d "$KIGO_BIN" || exit 1
cp /kigo/heroku.ini .heroku/php/conf.d/ && cp /kigo/apache2.conf /kigo/nginx.conf .heroku/php/ || exit 1
cp /kigo/php-profile.sh .profile.d/php.sh || exit 1
# Another buildpack's figures are not for PHP: what serves it finds its own.
: > .profile.d/WEB_CONCURRENCY.sh
printf 'version=%s\nvendor=%q\nbin=%q\n' "$KIGO_PHP" "$KIGO_VENDOR" "$KIGO_BIN" > .heroku/php/settings || exit 1
printf 'export PATH="$PATH:$HOME/%s"\n' "$KIGO_BIN" >> .profile.d/php.sh
for server in apache2 nginx; do
    cp /kigo/php-serve.sh ".heroku/php/bin/heroku-php-$server" && chmod 755 ".heroku/php/bin/heroku-php-$server" || exit 1
    ln -sfn "/app/.heroku/php/bin/heroku-php-$server" "$KIGO_BIN/heroku-php-$server" || exit 1
done

leave_out=()
contents "$KIGO_VENDOR" > /tmp/vendor.built
cut -f 1 /tmp/vendor.installed > /tmp/vendor.before 2> /dev/null
cut -f 1 /tmp/vendor.built > /tmp/vendor.after
# With the packages' layer below it, the app needs only what changed since; unless something is gone.
if [ "$KIGO_SHARE" = 1 ] && [ -s /tmp/vendor.installed ] \
    && [ -z "$(LC_ALL=C comm -23 /tmp/vendor.before /tmp/vendor.after | head -n 1)" ]; then
    tell vendor shared
    LC_ALL=C comm -12 /tmp/vendor.installed /tmp/vendor.built | grep -v $'\td$' | cut -f 1 > /tmp/vendor.same
    leave_out=(--anchored --no-wildcards --exclude-from=/tmp/vendor.same)
fi
cd /
send app "$BUILD_DIR" "${leave_out[@]}" || exit 1
[ "$KIGO_COMPOSER_INSTALLS" = 0 ] || close_directory composer
