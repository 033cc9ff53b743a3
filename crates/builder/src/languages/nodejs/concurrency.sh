# How many processes a web server should start: as many as fit into the dyno's memory. The figures
# are those of Heroku's Node.js buildpack.
_memory_of_dyno() {
    local bytes
    bytes=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null)
    case $bytes in
        '' | *[!0-9]*) echo 512 ;;
        *) if [ ${#bytes} -gt 15 ]; then echo 512; else echo $((bytes / 1048576)); fi ;;
    esac
}
export MEMORY_AVAILABLE=${MEMORY_AVAILABLE:-$(_memory_of_dyno)}
if [ -z "${WEB_MEMORY:-}" ]; then
    WEB_MEMORY=512
    [ "$MEMORY_AVAILABLE" -le 16384 ] || WEB_MEMORY=2048
fi
export WEB_MEMORY
if [ -z "${WEB_CONCURRENCY:-}" ]; then
    WEB_CONCURRENCY=$((MEMORY_AVAILABLE / WEB_MEMORY))
    [ "$WEB_CONCURRENCY" -ge 1 ] || WEB_CONCURRENCY=1
    [ "$WEB_CONCURRENCY" -le 200 ] || WEB_CONCURRENCY=1
    export WEB_CONCURRENCY_SET_BY=heroku/nodejs
fi
export WEB_CONCURRENCY
if [ "${LOG_CONCURRENCY:-}" = true ]; then
    echo "Detected $MEMORY_AVAILABLE MB available memory, $WEB_MEMORY MB limit per process (WEB_MEMORY)"
    echo "Recommending WEB_CONCURRENCY=$WEB_CONCURRENCY"
fi
unset -f _memory_of_dyno
