# The addresses of databases as Java takes them, in JDBC_DATABASE_URL and its like, from DATABASE_URL
# and its like. Follows Heroku's jvm-common. Sourced in dynos and in builds.

# The text $1 without percent-encoding.
_decoded() {
    local text=${1//\\/\\\\}
    printf '%b' "${text//%/\\x}"
}

# Sets $2_URL, $2_USERNAME and $2_PASSWORD for the address $1, if it is one with both.
_jdbc() {
    local form='^([A-Za-z][A-Za-z0-9+.-]*)://(([^/?#]*)@)?([^/:@?#]+)(:[0-9]+)?([^#?]+)?(\?[^#]+)?(#.+)?$'
    [[ $1 =~ $form ]] || return 0
    local scheme=${BASH_REMATCH[1]} user=${BASH_REMATCH[3]} host=${BASH_REMATCH[4]}${BASH_REMATCH[5]}
    local path=${BASH_REMATCH[6]} query=${BASH_REMATCH[7]#\?} fragment=${BASH_REMATCH[8]}
    case $scheme in
        postgres | postgresql) scheme=postgresql ;;
        mysql | mariadb) ;;
        *) return 0 ;;
    esac
    local password=${user#*:}
    [[ $user == ?*:?* ]] || return 0
    user=${user%%:*}
    query=${query:+$query&}user=$user\&password=$password
    # Unless the address itself says how. Not in tests, whose database is beside them.
    if [ "$scheme" = postgresql ] && [ "${CI:-}" != true ] && [[ $query != *sslmode=* ]]; then
        query+="&sslmode=require"
    fi
    query=$(printf %s "$query" | tr '&' '\n' | LC_ALL=C sort | paste -s -d '&')
    export "$2_URL=jdbc:$scheme://$host$path?$query$fragment"
    export "$2_USERNAME=$(_decoded "$user")" "$2_PASSWORD=$(_decoded "$password")"
}

if [ -n "${DATABASE_URL:-}" ]; then
    _jdbc "$DATABASE_URL" JDBC_DATABASE
    if [ -n "${DATABASE_CONNECTION_POOL_URL:-}" ]; then
        _jdbc "$DATABASE_CONNECTION_POOL_URL" JDBC_DATABASE
        _jdbc "$DATABASE_CONNECTION_POOL_URL" DATABASE_CONNECTION_POOL_JDBC
    fi
elif [ -n "${JAWSDB_URL:-}" ]; then
    _jdbc "$JAWSDB_URL" JDBC_DATABASE
elif [ -n "${JAWSDB_MARIA_URL:-}" ]; then
    _jdbc "$JAWSDB_MARIA_URL" JDBC_DATABASE
elif [ -n "${CLEARDB_DATABASE_URL:-}" ]; then
    _jdbc "$CLEARDB_DATABASE_URL" JDBC_DATABASE
fi
for _name in "${!HEROKU_POSTGRESQL_@}"; do
    case $_name in *_URL) _jdbc "${!_name}" "${_name%_URL}_JDBC" ;; esac
done

if [ "${DISABLE_SPRING_DATASOURCE_URL:-}" != true ] && [ -n "${JDBC_DATABASE_URL:-}" ] \
    && [ -z "${SPRING_DATASOURCE_URL:-}${SPRING_DATASOURCE_USERNAME:-}${SPRING_DATASOURCE_PASSWORD:-}" ]; then
    export SPRING_DATASOURCE_URL=$JDBC_DATABASE_URL
    export SPRING_DATASOURCE_USERNAME=${JDBC_DATABASE_USERNAME:-}
    export SPRING_DATASOURCE_PASSWORD=${JDBC_DATABASE_PASSWORD:-}
fi
unset _name
unset -f _jdbc _decoded
