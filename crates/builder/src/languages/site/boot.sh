#!/bin/bash
# Serves the site with nginx, in the foreground. The configuration is in .heroku/static; this adds
# what only a dyno knows. Written by the build.

set -euo pipefail

site=/app/.heroku/static
own=/tmp/nginx
mkdir -p "$own"
PORT=${PORT:-5000}

fail() {
    printf ' !     %s\n' "$@" >&2
    exit 1
}

# A text with the values of the variables that it mentions as ${NAME}. One that is not set stays.
filled() {
    local rest=$1 text='' name
    while [[ $rest =~ \$\{([A-Za-z_][A-Za-z0-9_]*)\} ]]; do
        name=${BASH_REMATCH[1]}
        text+=${rest%%"\${$name}"*}
        rest=${rest#*"\${$name}"}
        if [ -n "${!name+set}" ]; then
            text+=${!name}
        else
            text+="\${$name}"
            printf ' !     static.json mentions ${%s}, which is not set. Set it with `heroku config:set`.\n' "$name" >&2
        fi
    done
    printf '%s' "$text$rest"
}

# Has nginx know a text, as it is, by the name of a variable.
define() {
    case $2 in *[[:cntrl:]]*) fail "The value of $1 has a line break or another control character in it." ;; esac
    local text=${2//\\/\\\\}
    printf 'geo $%s { default "%s"; }\n' "$1" "${text//\"/\\\"}"
}

resolver() {
    local servers='' word address
    while read -r word address _; do
        [ "$word" = nameserver ] || continue
        case $address in *:*) servers+=" [$address]" ;; *) servers+=" $address" ;; esac
    done < /etc/resolv.conf
    printf 'resolver%s;\n' "${servers:- 127.0.0.1}"
}

# Who may see the site, with the passwords of the file $2, if that is wanted, and of config vars.
passwords() {
    : > "$own/auth.conf"
    if [ -n "${BASIC_AUTH_USERNAME:-}" ]; then
        cat "$2" > "$own/htpasswd" 2> /dev/null || true
        printf '%s:%s\n' "$BASIC_AUTH_USERNAME" "${BASIC_AUTH_PASSWORD:-}" >> "$own/htpasswd"
    elif [ "$1" = 1 ]; then
        [ -r "$2" ] || fail "static.json asks for basic_auth, and there are no passwords." \
            "Set BASIC_AUTH_USERNAME and BASIC_AUTH_PASSWORD with \`heroku config:set\`, or commit $2."
        cp "$2" "$own/htpasswd"
    else
        return 0
    fi
    printf 'auth_basic "Restricted";\nauth_basic_user_file %s/htpasswd;\n' "$own" > "$own/auth.conf"
}

while IFS=$'\t' read -r kind name value; do
    case $kind in
        text) define "$name" "$(filled "$value")" ;;
        origin)
            value=$(filled "$value")
            [[ $value =~ ^(https?://[^/]+)(/.*)?$ ]] || fail "The address of a proxy in static.json, $value, is no address."
            define "${name}_host" "${BASH_REMATCH[1]}"
            define "${name}_path" "${BASH_REMATCH[2]%/}"
            ;;
        log)
            [ -z "${STATIC_DEBUG:-}" ] || value=debug
            printf 'error_log stderr %s;\n' "$value"
            ;;
        passwords) passwords "$name" "$value" ;;
    esac
done < "$site/values" > "$own/http.conf"
resolver >> "$own/http.conf"
printf 'listen %s;\n' "$PORT" > "$own/listen.conf"

echo "Starting nginx..." >&2
exec /usr/sbin/nginx -e stderr -p "$own" -c "$site/nginx.conf"
