# Where Java is, and how much memory it may use: by the dyno's size, with the figures of Heroku's
# jvm-common. What JAVA_OPTS and JAVA_TOOL_OPTIONS say already comes last and wins.
export JAVA_HOME="$HOME/.jdk"
export PATH="$JAVA_HOME/bin:$HOME/.heroku/bin:$PATH"
export LD_LIBRARY_PATH="$JAVA_HOME/lib/server${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

_java_options() {
    local bytes
    printf %s -Dfile.encoding=UTF-8
    bytes=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null)
    # No limit reads as a number beyond any machine's memory.
    case $bytes in
        '' | *[!0-9]*) bytes= ;;
        *) [ ${#bytes} -le 13 ] && [ "$bytes" -le 1099511627776 ] || bytes= ;;
    esac
    [ -z "$bytes" ] || printf ' %s' "-XX:MaxRAM=$bytes"
    case $bytes in
        536870912) printf ' %s' -Xmx300m -Xss512k -XX:CICompilerCount=2 ;;
        1073741824) printf ' %s' -Xmx671m -XX:CICompilerCount=2 ;;
        *) printf ' %s' -XX:MaxRAMPercentage=80.0 ;;
    esac
}

_options=$(_java_options)
export JAVA_OPTS="$_options${JAVA_OPTS:+ $JAVA_OPTS}"
case ${DYNO:-} in
    # Java tells that it was given options, and what people run there may be a filter.
    run.*) ;;
    *)
        case ${DYNO:-} in
            web.*) echo "Setting JAVA_TOOL_OPTIONS defaults based on dyno size. Custom settings will override them." >&2 ;;
        esac
        export JAVA_TOOL_OPTIONS="$_options${JAVA_TOOL_OPTIONS:+ $JAVA_TOOL_OPTIONS}"
        ;;
esac
unset _options
unset -f _java_options
