# The beginning of what a dyno of an app runs that Cloud Native Buildpacks built: it is sourced, and
# what follows are calls of these.

# Changes variable $2 by value $3, apart from the old value by $4.
kigo_env() {
    local now=${!2-}
    case $1 in
        append) now=${now:+$now$4}$3 ;;
        prepend) now=$3${now:+$4$now} ;;
        default) now=${now:-$3} ;;
        override) now=$3 ;;
    esac
    export "$2=$now"
}

# Runs program $1, and exports the variables that it writes to descriptor 3.
kigo_exec_d() {
    local pair said status
    exec {kigo_out}>&1
    said=$("$1" 3>&1 >&"$kigo_out" {kigo_out}>&-; exit "$?")
    status=$?
    exec {kigo_out}>&-
    unset kigo_out
    if [ "$status" != 0 ]; then
        echo "$1 ended with status $status, so that nothing is started." >&2
        exit 1
    fi
    while IFS= read -r -d '' pair; do
        case $pair in
            HOME=* | DYNO=* | PORT=*) ;;
            =*) echo "What $1 wrote is no list of variables: ${pair#=}" >&2; exit 1 ;;
            *) export "${pair?}" ;;
        esac
    done < <(printf '%s' "$said" | perl /layers/config/variables.pl)
}
