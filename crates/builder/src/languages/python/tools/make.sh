# Installs the package manager $KIGO_TOOL into $KIGO_PLACE and sends it. $KIGO_PYTHON is the Python that
# will run it, or, for pip, whose packages it will install.

. /kigo/common.sh

pip=$(echo /usr/share/python-wheels/pip-*.whl)/pip
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off PIP_NO_CACHE_DIR=1

# Installs the pinned packages by $1, a Python; what follows goes to pip.
install_pins() {
    local python=$1
    shift
    "$python" "$pip" install --quiet --no-compile --require-hashes "$@" -r /kigo/pins.txt
}

# Files of layers do not keep their times, by which Python would tell that what is compiled is current:
# it would compile the package manager anew whenever it starts.
compile() { "$1" -m compileall -q -j 0 --invalidation-mode checked-hash "$2" > /dev/null; }

step install
case $KIGO_TOOL in
    uv) indented install_pins "$KIGO_PYTHON" --target "$KIGO_PLACE" || exit $? ;;
    pip)
        "$KIGO_PYTHON" -m venv --without-pip "$KIGO_PLACE" || exit $?
        indented install_pins "$KIGO_PLACE/bin/python" || exit $?
        compile "$KIGO_PLACE/bin/python" "$KIGO_PLACE/lib"
        ;;
    *)
        # A link to the one program keeps the others out of PATH.
        "$KIGO_PYTHON" -m venv --without-pip "$KIGO_PLACE/venv" || exit $?
        indented install_pins "$KIGO_PLACE/venv/bin/python" || exit $?
        compile "$KIGO_PLACE/venv/bin/python" "$KIGO_PLACE/venv/lib"
        mkdir "$KIGO_PLACE/bin" && ln -s "../venv/bin/$KIGO_TOOL" "$KIGO_PLACE/bin/$KIGO_TOOL" || exit 1
        ;;
esac

step pack
send shared "$KIGO_PLACE"
