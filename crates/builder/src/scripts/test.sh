# Runs an app's tests in /app: what app.json says, or else the programs of /kigo/tests, in order, until
# one fails. How they end is told, and is no matter of this program's own status.

. /kigo/common.sh

# Runs command $2 as a dyno would.
carry() {
    local status=0
    heading "Running $1 command \`${3:-$2}\`..."
    bash -c "$2" || status=$?
    if [ "$status" = 0 ]; then
        heading "$1 command \`${3:-$2}\` completed successfully"
    else
        heading "$1 command \`${3:-$2}\` failed with exit status $status"
    fi
    return "$status"
}

# The usual tests of built-in language $1, if the app has any.
language() {
    (
        tests= shown=
        # shellcheck disable=SC1090
        . "/kigo/test-$1.sh"
        [ -n "$tests" ] || exit 0
        : > /tmp/.kigo-tested
        carry test "$tests" "$shown"
    )
}

# The tests that classic buildpack $1 knows of; it is called $2.
classic() {
    local directory=/tmp/buildpacks/$1 status=0
    mkdir -p "$directory" && cp -a "/kigo/buildpacks/$1"/. "$directory" || return 1
    [ -f "$directory/bin/test" ] || return 0
    chmod +x "$directory"/bin/*
    : > /tmp/.kigo-tested
    heading "Running tests of the buildpack $2..."
    "$directory/bin/test" /app /kigo/env || status=$?
    [ "$status" = 0 ] || heading "Tests of the buildpack $2 failed with exit status $status"
    return "$status"
}

# All of them.
programs() {
    local kind which name
    # The list has a descriptor of its own: what tests may read their standard input.
    while IFS=$'\t' read -r kind which name <&3; do
        "$kind" "$which" "$name" || return $?
    done 3< /kigo/tests
}

step copy
copy_source && cd /app || exit 1

step settings
source_exports
export_config_vars
set +u +o pipefail
# As a dyno starts.
[ -f /layers/config/launch.sh ] && . /layers/config/launch.sh
for kigo_script in /app/.profile.d/*.sh; do
    # shellcheck disable=SC1090
    [ -f "$kigo_script" ] && . "$kigo_script"
done
[ -f /app/.profile ] && . /app/.profile
unset kigo_script

if [ -f /kigo/test-setup ]; then
    step setup
    carry test-setup "$(cat /kigo/test-setup)" || { tell status "$?"; exit 0; }
fi

step test
if [ -f /kigo/test-script ]; then
    carry test "$(cat /kigo/test-script)"
    tell status "$?"
else
    programs
    status=$?
    tell status "$status"
    [ "$status" != 0 ] || [ -f /tmp/.kigo-tested ] || step none
fi
exit 0
