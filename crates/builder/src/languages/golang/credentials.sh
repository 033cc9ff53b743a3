# A credential helper for git: for https://git.example.com the config var
# GO_GIT_CRED__HTTPS__GIT__EXAMPLE__COM, which holds a token, or a user and a password with a colon
# between them.

[ "${1:-}" = get ] || exit 0
protocol= host=
while IFS='=' read -r name value; do
    case $name in
        protocol) protocol=$value ;;
        host) host=$value ;;
    esac
done
variable=GO_GIT_CRED__${protocol}__${host//./__}
variable=${variable^^}
[[ $variable =~ ^[A-Z0-9_]+$ ]] && [ -n "${!variable:-}" ] || exit 0
printf 'Using credentials from %s\n' "$variable" >&2
printf 'username=%s\npassword=%s\n' "${!variable%%:*}" "${!variable#*:}"
