# Installs what a Python app in $BUILD_DIR requires. What is to be done was decided before and is in
# KIGO_* variables.

. /kigo/common.sh

place=/app/.heroku/python

step copy
copy_source || exit 1
cd "$BUILD_DIR" || exit 1

step settings
source_exports
export_config_vars
export PATH="$place/bin:$PATH"
export PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off
export PYTHONPATH=${PYTHONPATH:-$BUILD_DIR}

run_hook() {
    [ -f "bin/$1" ] || return 0
    step "$1"
    heading "Running bin/$1 hook"
    chmod +x "bin/$1"
    indented "bin/$1"
}

environment_state() {
    [ -d "$place" ] || return 0
    find "$place" -mindepth 1 ! -name '*.pyc' ! -name __pycache__ -printf '%p\t%y\t%C@\t%s\n'
}

run_hook pre_compile || exit $?

step install
if [ "$KIGO_INSTALLED" = 1 ]; then
    heading "Restoring cache"
    detail "Using the dependencies of the last build (nothing that decides them has changed)"
else
    open_directory pip
    heading "Installing $(/usr/bin/python3 --version)"
    /usr/bin/python3 -m venv "$place" || exit $?
    heading "Installing dependencies using 'pip install -r requirements.txt'"
    indented pip install -r requirements.txt || exit $?
    python -m compileall -q "$place/lib" > /dev/null 2>&1
    step pack
    [ "$KIGO_SHARE" = 0 ] || send installed "$place" || exit 1
fi
environment_state > /tmp/environment.installed

if [ "$KIGO_DJANGO" = 1 ] && [ -z "${DISABLE_COLLECTSTATIC:-}" ]; then
    step collectstatic
    heading "\$ python manage.py collectstatic --noinput"
    indented python manage.py collectstatic --noinput || exit $?
fi

run_hook post_compile || exit $?

step pack
heading "Saving cache"
environment_state > /tmp/environment.built
mkdir -p .profile.d && cp /kigo/python-profile.sh .profile.d/python.sh \
    && cp /kigo/python-concurrency.sh .profile.d/WEB_CONCURRENCY.sh || exit 1
leave_out=()
if [ "$KIGO_SHARE" = 1 ] && cmp --quiet /tmp/environment.installed /tmp/environment.built; then
    tell environment shared
    leave_out+=(--exclude=./.heroku/python)
elif [ "$BUILD_DIR" != /app ]; then
    mkdir -p .heroku && cp -a "$place" .heroku/python || exit 1
fi
cd /
send app "$BUILD_DIR" "${leave_out[@]}" || exit 1
[ "$KIGO_INSTALLED" = 1 ] || close_directory pip
