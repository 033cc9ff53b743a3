# Runs the app's pre-compile hook, before anything of the app is looked at: it may write any file.

. /kigo/python-common.sh

step copy
copy_source && cd "$BUILD_DIR" || exit 1
run_python_hook pre_compile || exit $?
step pack
cd /
send app "$BUILD_DIR" || exit 1
