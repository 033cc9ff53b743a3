# Installs what a Python app in $BUILD_DIR requires. What is to be done was decided before and is in
# KIGO_* variables.

kept_downloads=${PIP_CACHE_DIR:-}
. /kigo/python-common.sh
. /kigo/python-install.sh

# Notes every file of the environment with what tells whether it changed. What Python compiled is no
# change by itself.
remember_as() {
    : > "/tmp/$1.marker"
    (cd "$place" && find . ! -type d ! -name '*.pyc' -printf '%P\t%C@\t%s\t%l\n' | LC_ALL=C sort) \
        > "/tmp/environment.$1"
}
is_same() { cmp --quiet "/tmp/environment.$1" "/tmp/environment.$2"; }

# Compiles what is not compiled. The hash of a source tells whether it is still the same: files of
# layers do not keep their times.
compile() { "$place/bin/python" /kigo/python-compile.py "$place/lib" > /dev/null 2>&1; }

has_module() {
    "$place/bin/python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)" 2> /dev/null
}

announce_python() {
    local version
    version=$("$KIGO_PYTHON" -c 'import platform; print(platform.python_version())')
    if [ "$KIGO_RESTORED" = 1 ]; then
        heading "Restoring cache"
        heading "Using cached install of Python $version"
    else
        heading "Installing Python $version"
    fi
    if [ -n "$KIGO_PINNED" ] && [ "$KIGO_PINNED" != "$version" ]; then
        detail "The app asks for $KIGO_PINNED. The stack has one version of this series, which is kept"
        detail "secure with it."
    fi
}

install_dependencies() {
    step install
    [ -z "$kept_downloads" ] || open_directory pip
    announce_python
    [ -d "$place" ] && remember_as start || : > /tmp/environment.start
    [ -e "$place/bin/python" ] || "$KIGO_PYTHON" -m venv --without-pip "$place" || return 1
    heading "Installing dependencies using '$(shown_command)'"
    if [ "$KIGO_INSTALLED" = 0 ]; then
        indented with_settings install_dependencies_of_app || return $?
        download_corpora || return $?
        compile
        remember_as installed
        step pack
        is_same start installed || send installed "$place" || return 1
    else
        remember_as installed
    fi
    if [ "$KIGO_ITSELF" = 1 ]; then
        step install
        # pip has done all of it at once.
        case $KIGO_INSTALLED$KIGO_MANAGER in
            0pip | ?pipenv) ;;
            *) indented with_settings install_app || return $? ;;
        esac
    fi
}

download_corpora() {
    has_module nltk || return 0
    step nltk
    heading "Downloading NLTK corpora..."
    if [ ! -f nltk.txt ]; then
        detail "'nltk.txt' not found, not downloading any corpora"
        return 0
    fi
    local names
    readarray -t names < nltk.txt
    heading "Downloading NLTK packages: ${names[*]}"
    indented with_config_vars "$place/bin/python" -m nltk.downloader -d "$place/nltk_data" "${names[@]}"
}

collect_static() {
    step collectstatic
    if [ -f .heroku/collectstatic_disabled ]; then
        heading "Skipping Django collectstatic since the file '.heroku/collectstatic_disabled' exists."
        echo " !     Warning: The .heroku/collectstatic_disabled file is deprecated."
        echo " !"
        echo " !     Please remove the file and set the env var DISABLE_COLLECTSTATIC=1 instead."
        return 0
    fi
    local disabled=0
    [ ! -f /kigo/env/DISABLE_COLLECTSTATIC ] || disabled=$(cat /kigo/env/DISABLE_COLLECTSTATIC)
    if [ "${disabled:-0}" != 0 ]; then
        heading "Skipping Django collectstatic since the env var DISABLE_COLLECTSTATIC is set."
        return 0
    fi
    has_module django || return 0
    local manage
    manage=$(find . -maxdepth 3 -type f -name manage.py -printf '%d\t%P\n' | sort -n | head -n 1 | cut -f 2)
    if [ -z "$manage" ]; then
        heading "Skipping Django collectstatic since no manage.py file found."
        return 0
    fi
    tell manage "$manage"
    heading "\$ python $manage collectstatic --noinput"
    local status=0
    indented with_config_vars collect_with "$manage" || status=$?
    echo
    if [ "$status" != 0 ] && [ "$(cat /kigo/env/DEBUG_COLLECTSTATIC 2> /dev/null)" = 1 ]; then
        echo
        echo "****** Collectstatic environment variables:"
        echo
        indented with_config_vars env
    fi
    return "$status"
}

collect_with() {
    export PYTHONPATH=${PYTHONPATH:-.}
    python "$1" collectstatic --noinput --traceback
}

# Sends what the environment has besides what was installed: the app itself as a package, what hooks
# added. When something is gone, a layer on top cannot say so, and the whole is sent.
send_changes() {
    remember_as built
    ! is_same installed built || return 0
    compile
    LC_ALL=C comm -13 /tmp/environment.installed /tmp/environment.built | cut -f 1 > /tmp/added
    local gone
    gone=$(LC_ALL=C comm -23 <(cut -f 1 /tmp/environment.installed | LC_ALL=C sort) \
        <(cut -f 1 /tmp/environment.built | LC_ALL=C sort) | head -n 1)
    if [ -n "$gone" ]; then
        tell changed whole
        send changed "$place"
        return
    fi
    (cd "$place" && find . -type f -name '*.pyc' -cnewer /tmp/installed.marker -printf '%P\n') >> /tmp/added
    tar -C "$place" --numeric-owner --no-recursion --verbatim-files-from -T /tmp/added -c > /kigo/pipes/changed
}

write_profile() {
    mkdir -p .profile.d && cp /kigo/python-concurrency.sh .profile.d/WEB_CONCURRENCY.sh \
        && cp /kigo/python-gunicorn.sh .profile.d/python.gunicorn.sh \
        && cp /kigo/python-profile.sh .profile.d/python.sh || return 1
    local more=/tmp/profile.more
    case $KIGO_MANAGER in
        pip) echo 'export PIP_DISABLE_PIP_VERSION_CHECK=1' ;;
        pipenv)
            echo 'export PATH="/app/.heroku/pipenv/bin:$PATH"'
            echo "export PIPENV_VERBOSITY=-1 VIRTUAL_ENV=$place"
            ;;
    esac > "$more"
    [ ! -d "$place/nltk_data" ] || echo "export NLTK_DATA=$place/nltk_data" >> "$more"
    cat "$more" >> .profile.d/python.sh
    # Later buildpacks have the same, and the package manager.
    cat .profile.d/python.sh > /tmp/export
    case $KIGO_MANAGER in
        poetry)
            echo "export PATH=\"/usr/local/kigo/poetry/bin:\$PATH\" POETRY_VIRTUALENVS_CREATE=false VIRTUAL_ENV=$place"
            ;;
        uv)
            echo "export PATH=\"/usr/local/kigo/uv/bin:\$PATH\" UV_PROJECT_ENVIRONMENT=$place"
            echo "export UV_NO_MANAGED_PYTHON=1 UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=/tmp/uv-cache"
            ;;
    esac >> /tmp/export
    tell export "$(cat /tmp/export)"
    move_paths
}

# Packages that are directories of the app are known by where it is built, which may not be where it
# runs. Until the build is over they have to be found here.
move_paths() {
    [ "$BUILD_DIR" != /app ] || return 0
    local named=(-type f '(' -name '*.egg-link' -o -name '*.pth' -o -name '__editable___*_finder.py' ')')
    [ -n "$(find "$place"/lib/python*/site-packages "${named[@]}" -exec grep -l "$BUILD_DIR" {} + 2> /dev/null)" ] || return 0
    cat >> .profile.d/python.sh << END
find "\$HOME"/.heroku/python/lib/python*/site-packages -type f '(' -name '*.egg-link' -o -name '*.pth' -o -name '__editable___*_finder.py' ')' -exec sed -i 's#$BUILD_DIR#/app#g' {} +
END
}

step copy
copy_source && cd "$BUILD_DIR" || exit 1

if [ "$KIGO_INSTALLED" = 1 ] && [ "$KIGO_ITSELF" = 0 ]; then
    announce_python
    detail "Using the dependencies of the last build (nothing that decides them has changed)"
    remember_as installed
else
    install_dependencies || exit $?
fi
collect_static || exit $?
run_python_hook post_compile || exit $?

step pack
heading "Saving cache"
write_profile && send_changes || exit 1
cd /
send app "$BUILD_DIR" --exclude=./.heroku/python --exclude=./.heroku/pipenv || exit 1
[ -z "$kept_downloads" ] || close_directory pip
