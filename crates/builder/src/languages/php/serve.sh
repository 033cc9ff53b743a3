#!/bin/bash
# Serves a PHP app: php-fpm behind Apache or nginx, by the name of this program, with the options of
# Heroku's. Written by the build.

set -euo pipefail

me=${0##*/}
server=${me#heroku-php-}
own=/app/.heroku/php
# version, vendor, bin
. "$own/settings"

usage() {
    cat <<END

${1:-Serves a PHP app with php-fpm and $server.}

Usage: $me [OPTIONS] [DOCUMENT_ROOT]

  -C FILE   included by the web server's configuration, where the app is served
  -c FILE   used in the place of that part of the web server's configuration
  -F FILE   included at the end of php-fpm's configuration, in the pool [www]
  -f FILE   used in the place of php-fpm's configuration
  -i FILE   the php.ini to use
  -l FILE   a log of the app's, to be shown; may be given several times
  -p PORT   the port to listen on, \$PORT by default
  -t        test the configuration and end
  -v        say more

Files are relative to the app. One that ends in .php is run by PHP first.
END
}

refuse() {
    echo "$me: $1" >&2
    exit "${2:-1}"
}

# A file of the app's, or what PHP makes of it.
file_of() {
    local path=$HEROKU_APP_DIR/$2 made
    [ -f "$path" ] || refuse "cannot read the file '$2' of option -$1"
    case $2 in
        *.php)
            made=$run/$1-$(basename "$2" .php)
            php "$path" > "$made"
            echo "$made"
            ;;
        *) echo "$path" ;;
    esac
}

# Options

export HEROKU_APP_DIR=$PWD DOCUMENT_ROOT=$PWD PORT=${PORT:-$((RANDOM + 1024))}
web_include='' web_config='' fpm_include='' fpm_config='' ini=/etc/php/$version/fpm/php.ini logs=() test='' verbose=''
asked=()
while getopts ':-:C:c:F:f:i:l:p:tvh' option; do
    case $option in
        C | c | F | f | i) asked+=("$option" "$OPTARG") ;;
        l) logs+=("$OPTARG") ;;
        p) PORT=$OPTARG ;;
        t) test=1 ;;
        v) verbose=1 ;;
        h) usage && exit ;;
        -)
            case $OPTARG in
                help) usage && exit ;;
                test) test=1 ;;
                verbose) verbose=1 ;;
                *) refuse "there is no option --$OPTARG" 2 ;;
            esac
            ;;
        :) refuse "option -$OPTARG needs an argument" 2 ;;
        *) refuse "there is no option -$OPTARG" 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -gt 1 ]; then
    usage "$me: too many arguments. Options come before the document root." >&2
    exit 2
fi
[[ $PORT =~ ^[0-9]+$ ]] || refuse "the port '$PORT' is not a number" 2

export HEROKU_PHP_RUN=/tmp/heroku-php-$PORT
run=$HEROKU_PHP_RUN
mkdir -p "$run"
set -- "${asked[@]}" -- "$@"
while [ "$1" != -- ]; do
    file=$(file_of "$1" "$2")
    case $1 in
        C) web_include=$file ;;
        c) web_config=$file ;;
        F) fpm_include=$file ;;
        f) fpm_config=$file ;;
        i) ini=$file ;;
    esac
    shift 2
done
shift
if [ $# = 1 ]; then
    DOCUMENT_ROOT=$HEROKU_APP_DIR/${1%/}
    [ -d "$DOCUMENT_ROOT" ] || refuse "the document root '$1' is not there"
    DOCUMENT_ROOT=${DOCUMENT_ROOT%/}
    echo "DOCUMENT_ROOT changed to '${1%/}/'" >&2
fi

# Workers

# Bytes of `128M`.
bytes() {
    local number=${1%[KMGkmg]}
    [[ $number =~ ^-?[0-9]+$ ]] || number=134217728
    case $1 in
        *[Kk]) number=$((number << 10)) ;;
        *[Mm]) number=$((number << 20)) ;;
        *[Gg]) number=$((number << 30)) ;;
    esac
    echo "$number"
}

memory_of_dyno() {
    local file limit
    for file in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do
        limit=$(cat "$file" 2> /dev/null) || continue
        # More than anybody has means none.
        [[ $limit =~ ^[0-9]{1,14}$ ]] && echo "$limit" && return
    done
    echo $((512 << 20))
}

# The memory_limit of a worker: php.ini's, the document root's or the pool's, the last of them.
memory_limit() {
    local limit
    limit=$(php -c "$ini" -r 'echo ini_get("memory_limit");')
    find_in() { sed -nE "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*\"?([0-9-]+[KMGkmg]?).*/\1/p" "$1" 2> /dev/null | tail -n 1; }
    local found
    for found in "$(find_in "${fpm_include:-/dev/null}" 'php_value\[memory_limit\]')" \
        "$(find_in "$DOCUMENT_ROOT/.user.ini" memory_limit)" \
        "$(find_in "${fpm_include:-/dev/null}" 'php_admin_value\[memory_limit\]')"; do
        [ -z "$found" ] || limit=$found
    done
    bytes "$limit"
}

# By memory and processors, with the figures of Heroku's PHP buildpack.
workers() {
    local memory limit base=$((128 << 20)) factor=0 wanted
    memory=$(memory_of_dyno)
    limit=$(memory_limit)
    [ "$limit" -ge 1 ] || limit=$memory
    [ -z "$verbose" ] || echo "Memory: $memory bytes, memory_limit: $limit bytes" >&2
    while [ $((base << factor)) -lt "$memory" ]; do factor=$((factor + 1)); done
    wanted=$((factor * $(nproc) * 2 * base / limit))
    [ "$wanted" -le $((memory / limit)) ] || wanted=$((memory / limit))
    [ "$wanted" -ge 1 ] || wanted=1
    echo "$wanted"
}

if [ -n "${WEB_CONCURRENCY:-}" ] && [ -z "${WEB_CONCURRENCY_SET_BY:-}" ]; then
    echo 'WEB_CONCURRENCY env var is set, skipping automatic calculation' >&2
else
    WEB_CONCURRENCY=$(workers)
fi
[[ $WEB_CONCURRENCY =~ ^[1-9][0-9]*$ ]] || WEB_CONCURRENCY=1
export WEB_CONCURRENCY

# Configuration

socket=/tmp/heroku.fcgi.$PORT.sock
if [ -z "$fpm_config" ]; then
    fpm_config=$run/php-fpm.conf
    cat > "$fpm_config" <<END
[global]
error_log = /dev/stderr
log_level = warning
log_limit = 10000
daemonize = no
[www]
listen = $socket
listen.mode = 0666
pm = static
pm.max_children = \${WEB_CONCURRENCY}
request_terminate_timeout = 30s
catch_workers_output = yes
decorate_workers_output = no
clear_env = no
php_value[error_log] = /dev/stderr
${fpm_include:+include = $fpm_include}
END
fi
fpm=("/usr/sbin/php-fpm$version" --nodaemonize --pid "$run/php-fpm.pid" -y "$fpm_config" -c "$ini")

apache2_part() {
    cat <<END
Define heroku-fcgi unix:$socket|fcgi://heroku-fcgi
<Proxy "\${heroku-fcgi}">
    ProxySet min=0
</Proxy>
Listen \${PORT}
<VirtualHost *:\${PORT}>
    ErrorLog /dev/stderr
    CustomLog /dev/stdout combined
    <Directory "\${HEROKU_APP_DIR}">
        Require all denied
        <FilesMatch "^(\.(?!well-known/)|composer\.(json|lock|phar)$|Procfile$)">
            Require all denied
        </FilesMatch>
    </Directory>
    <Directory "\${HEROKU_APP_DIR}/$vendor">
        Require all denied
    </Directory>
    <Directory "\${HEROKU_APP_DIR}/$bin">
        Require all denied
    </Directory>
    DocumentRoot "\${DOCUMENT_ROOT}"
    <Directory "\${DOCUMENT_ROOT}">
        Options FollowSymLinks
        AllowOverride All
        Require all granted
    </Directory>
    SetEnvIfNoCase ^Authorization$ "(.+)" HTTP_AUTHORIZATION=\$1
    <FilesMatch \.php$>
        <If "-f %{REQUEST_FILENAME}">
            SetHandler "proxy:\${heroku-fcgi}"
        </If>
    </FilesMatch>
    DirectoryIndex index.php index.html index.htm
    ${web_include:+Include "$web_include"}
</VirtualHost>
END
}

nginx_part() {
    cat <<END
location / {
    index index.php index.html index.htm;
}
location ~ ^/(composer\.(json|lock|phar)$|Procfile$|$vendor/|$bin/) {
    deny all;
}
END
}

case $server in
    apache2)
        if [ -z "$web_config" ]; then
            web_config=$run/site.conf
            apache2_part > "$web_config"
        fi
        export HEROKU_PHP_HTTPD_CONFIG=$web_config
        web=(/usr/sbin/apache2 -D FOREGROUND -f "$own/apache2.conf")
        ;;
    nginx)
        if [ -z "$web_include" ]; then
            web_include=$run/site.conf
            nginx_part > "$web_include"
        fi
        text=$(< "${web_config:-$own/nginx.conf}")
        text=${text//PHP_RUN/$run}
        text=${text//PHP_SOCKET/$socket}
        text=${text//PHP_PORT/$PORT}
        text=${text//PHP_DOCUMENT_ROOT/$DOCUMENT_ROOT}
        printf '%s\n' "${text//PHP_INCLUDE/$web_include}" > "$run/nginx.conf"
        web=(/usr/sbin/nginx -e stderr -p "$run" -c "$run/nginx.conf")
        ;;
    *) refuse "there is no such web server" 2 ;;
esac
[ -x "${web[0]}" ] || refuse "$server is not there: the Procfile of the app does not mention $me"

if [ -n "$test" ]; then
    "${fpm[@]}" -t
    exec "${web[@]}" -t
fi

# Processes

for pattern in "${logs[@]}"; do
    # A pattern finds what is there; a name is made.
    for log in $pattern; do
        mkdir -p "$(dirname "$log")" && touch "$log" || refuse "cannot write the log '$log'"
        tail -qF -n 0 "$log" >&2 &
    done
done

stopping=''
trap 'stopping=1' TERM INT
rm -f "$socket"
echo "Starting php-fpm with $WEB_CONCURRENCY workers..." >&2
"${fpm[@]}" &
fpm_process=$!
until [ -S "$socket" ] || [ -n "$stopping" ]; do
    kill -0 "$fpm_process" 2> /dev/null || refuse "php-fpm did not start" 70
    sleep 0.05
done
echo "Starting $server..." >&2
"${web[@]}" &
web_process=$!
wait -n "$fpm_process" "$web_process" || true
if [ -z "$stopping" ]; then
    echo "A process exited unexpectedly, shutting down..." >&2
fi
# Every process of a dyno gets SIGTERM; those that did not, because something failed, get it here.
kill -TERM "$web_process" 2> /dev/null || true
wait "$web_process" 2> /dev/null || true
kill -QUIT "$fpm_process" 2> /dev/null || true
wait "$fpm_process" 2> /dev/null || true
[ -n "$stopping" ] && exit 143
exit 70
