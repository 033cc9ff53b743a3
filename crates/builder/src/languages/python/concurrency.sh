# How many processes a web server should start: by processors and memory, with the figures of
# Heroku's Python buildpack.
_memory_of_dyno() {
    local bytes
    bytes=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null)
    case $bytes in
        '' | *[!0-9]*) echo 512 ;;
        *) if [ ${#bytes} -gt 15 ]; then echo 512; else echo $((bytes / 1048576)); fi ;;
    esac
}
if [ -z "${WEB_CONCURRENCY:-}" ]; then
    WEB_CONCURRENCY=$(($(nproc) * 2 + 1))
    _by_memory=$(($(_memory_of_dyno) / 256))
    [ "$WEB_CONCURRENCY" -le "$_by_memory" ] || WEB_CONCURRENCY=$_by_memory
    [ "$WEB_CONCURRENCY" -ge 1 ] || WEB_CONCURRENCY=1
    unset _by_memory
fi
export WEB_CONCURRENCY
unset -f _memory_of_dyno
