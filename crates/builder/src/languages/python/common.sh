# What the programs of a Python build have in common.

. /kigo/common.sh

place=/app/.heroku/python

# Runs a command with the app's config vars, and with what must not be theirs.
with_config_vars() {
    (
        export_config_vars
        unset PYTHONHOME LD_LIBRARY_PATH
        "$@"
    )
}

# Runs the app's script bin/$1, if there is one.
run_python_hook() {
    mkdir -p /tmp/cache
    CACHE_DIR=/tmp/cache ENV_DIR=/kigo/env run_hook "$1" with_config_vars
}

# The environment that commands of the build start with. Config vars are no part of it.
source_exports
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
mkdir -p "$HOME"
export PATH="$place/bin:$PATH" PYTHONUNBUFFERED=1
