# How many processes a web server should start: by processors and memory, with the figures of
# Heroku's Python buildpack, and with what it says about them.

_say() {
    # Not where a one-off's output may be read by a program.
    case ${DYNO:-} in web.*) echo "Python buildpack: $*" >&2 ;; esac
}
_memory=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null)
case $_memory in
    # Without a limit, the file has the largest number that there is.
    '' | *[!0-9]* | ????????????????*) _memory= ;;
    *) _memory=$((_memory / 1048576)) ;;
esac
_cores=$(nproc 2> /dev/null)
if [ -z "$_memory" ] || [ -z "$_cores" ]; then
    _say "Couldn't determine available memory or number of CPU cores. Skipping automatic configuration of WEB_CONCURRENCY."
else
    _say "Detected $_memory MB available memory and $_cores CPU cores."
    export DYNO_RAM=$_memory
    if [ -n "${WEB_CONCURRENCY+set}" ]; then
        _say "Skipping automatic configuration of WEB_CONCURRENCY since it's already set."
    else
        export WEB_CONCURRENCY_SET_BY=heroku/python
        _by_memory=$((_memory / 256))
        [ "$_by_memory" -ge 1 ] || _by_memory=1
        export WEB_CONCURRENCY=$((_cores * 2 + 1))
        if [ "$_by_memory" -lt "$WEB_CONCURRENCY" ]; then
            WEB_CONCURRENCY=$_by_memory
            _say "Defaulting WEB_CONCURRENCY to $WEB_CONCURRENCY based on the available memory."
        else
            _say "Defaulting WEB_CONCURRENCY to $WEB_CONCURRENCY based on the number of CPU cores."
        fi
    fi
fi
unset -v _memory _cores _by_memory
unset -f _say
