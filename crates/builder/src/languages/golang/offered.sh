# Asks which releases of Go can be had.

. /kigo/common.sh

mkdir -p /tmp/nowhere && cd /tmp/nowhere || exit 1
export PATH="$KIGO_GO_ROOT/bin:$PATH" GOTOOLCHAIN=local
timeout 60 go list -m -versions go > /tmp/offered 2> /tmp/why
status=$?
tell why "$(head -n 1 /tmp/why)"
[ $status = 0 ] && tell offered "$(cut -d ' ' -f 2- /tmp/offered)"
exit $status
