# How each package manager installs what its files list, in $BUILD_DIR, into the environment $place.

# Exports the config vars that the installation may look at.
export_settings() {
    local name
    for name in $KIGO_SETTINGS; do
        [ -f "/kigo/env/$name" ] || continue
        local value
        value=$(cat "/kigo/env/$name"; printf x)
        export "$name=${value%x}"
    done
}

# Settings that are the build's and not the app's.
export_own() {
    # Has whatever compiles modules do it as `compile` does.
    export SOURCE_DATE_EPOCH=$KIGO_SOURCE_DATE
    case $KIGO_MANAGER in
        pip | pipenv)
            export PIP_CACHE_DIR=${kept_downloads:-/tmp/pip-cache} PIP_DISABLE_PIP_VERSION_CHECK=1
            export PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off PIP_EXISTS_ACTION=w PIP_SRC=$place/src
            ;;
    esac
    case $KIGO_MANAGER in
        pipenv)
            export PIPENV_NOSPIN=1 PIPENV_VERBOSITY=-1 PIPENV_CACHE_DIR=/tmp/pipenv-cache VIRTUAL_ENV=$place
            export PIPENV_YES=1 PATH="/app/.heroku/pipenv/bin:$PATH"
            # It does not know pip's setting.
            [ -z "${PIP_INDEX_URL:-}" ] || export PIPENV_PYPI_MIRROR=${PIPENV_PYPI_MIRROR:-$PIP_INDEX_URL}
            ;;
        poetry)
            # The environment that is active is the one to install into.
            export POETRY_VIRTUALENVS_CREATE=false POETRY_CACHE_DIR=/tmp/poetry-cache VIRTUAL_ENV=$place
            export PATH="/usr/local/kigo/poetry/bin:$PATH"
            ;;
        uv)
            export UV_PROJECT_ENVIRONMENT=$place UV_PYTHON=$place/bin/python UV_NO_MANAGED_PYTHON=1
            export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=hardlink UV_CACHE_DIR=/tmp/uv-cache
            export PATH="/usr/local/kigo/uv/bin:$PATH"
            ;;
    esac
}

# Which packages are installed: those that the app runs with, and for tests also those for development.
case $KIGO_MANAGER$KIGO_TEST in
    pip?) groups=(-r requirements.txt) ;;
    pipenv1) groups=(--dev) ;;
    poetry0) groups=(--only main) ;;
    uv0) groups=(--no-default-groups) ;;
    *) groups=() ;;
esac
[ "$KIGO_MANAGER$KIGO_TEST" != pip1 ] || [ ! -f /kigo/source/requirements-test.txt ] || groups+=(-r requirements-test.txt)

# What is done, without options that concern the output or are no choice of the app's.
shown_command() {
    case $KIGO_MANAGER in
        pip) echo "pip install ${groups[*]}" ;;
        pipenv) echo "pipenv install --deploy${groups[*]:+ ${groups[*]}}" ;;
        poetry) echo "poetry sync${groups[*]:+ ${groups[*]}}" ;;
        uv) echo "uv sync --locked${groups[*]:+ ${groups[*]}}" ;;
    esac
}

# Installs what the files list; the app itself only where the manager does all at once.
install_dependencies_of_app() {
    case $KIGO_MANAGER in
        # All at once is quicker, later.
        pip) pip install --no-compile "${groups[@]}" ;;
        pipenv) pipenv install --deploy "${groups[@]}" ;;
        poetry) poetry sync "${groups[@]}" --no-root --no-ansi --no-interaction ;;
        uv) uv_sync --no-install-project ;;
    esac
}

# Installs the app itself as a package.
install_app() {
    case $KIGO_MANAGER in
        pip) pip install --no-compile "${groups[@]}" ;;
        poetry) poetry install --only-root --no-ansi --no-interaction ;;
        uv) uv_sync ;;
    esac
}

uv_sync() { uv sync --locked "${groups[@]}" --no-progress --color never "$@"; }

# Runs one of these with the settings that it may have.
with_settings() {
    (
        export_settings
        export_own
        "$@"
    )
}
