# Puts nginx's configuration and the program that starts it beside the app in $BUILD_DIR.

. /kigo/common.sh

step copy
copy_source || exit 1
cd "$BUILD_DIR" || exit 1

step root
[ -d "$KIGO_ROOT" ] || exit 1

step pack
mkdir -p .heroku/static bin && rm -rf bin/boot || exit 1
cp /kigo/nginx.conf /kigo/values .heroku/static/ || exit 1
cp /kigo/site-boot.sh bin/boot && chmod 755 bin/boot || exit 1
cd /
send app "$BUILD_DIR"
