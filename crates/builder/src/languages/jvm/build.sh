# What builds on the JVM have in common. Sourced after common.sh.

# Where Maven's central repository is, or the host's mirror of it.
central=${KIGO_MAVEN_CENTRAL:-https://repo.maven.apache.org/maven2}

# The host's proxies, as properties of Java's.
proxy=()
[ -z "${KIGO_JAVA_PROXY:-}" ] || mapfile -t proxy <<< "$KIGO_JAVA_PROXY"

# Copies the source and makes the environment that all programs of the build have.
prepare() {
    step copy
    mkdir -p "$HOME"
    copy_source || exit 1
    cd "$BUILD_DIR" || exit 1

    step settings
    source_exports
    export_config_vars
    # Those are the app's own.
    unset JAVA_OPTS JAVA_TOOL_OPTIONS
    if [ -x .jdk/bin/java ] && [ ! -L .jdk ]; then
        heading "Using provided JDK"
        JAVA_HOME=$BUILD_DIR/.jdk
    else
        JAVA_HOME=$(dirname "$(dirname "$(readlink -f /usr/bin/javac)")")
    fi
    export JAVA_HOME PATH="$JAVA_HOME/bin:$PATH"
    . /kigo/jvm-jdbc.sh
    choose_tier
}

# Sets `quick`, options for the programs that build: a small app is built before more optimisation
# than that of the first tier pays off, which takes half of the time.
choose_tier() {
    quick=(-XX:TieredStopAtLevel=1)
    local files
    files=$(find . -name '*.java' -o -name '*.kt' -o -name '*.scala' -o -name '*.groovy' | head -n 501 | wc -l)
    [ "$files" -le 500 ] || quick=()
}

# Downloads $1, a path below the central repository, to file $2 and checks it with the hash program
# $3, whose name the repository has as an ending. 2 means that there is no such thing.
from_central() {
    local status user=()
    [ -z "${MVNW_USERNAME:-}" ] || user=(--user "$MVNW_USERNAME:${MVNW_PASSWORD:-}")
    status=$(curl --silent --show-error --location --retry 3 --connect-timeout 15 "${user[@]}" \
        --write-out '%{http_code}' --output "$2" "$central/$1") || return 1
    case $status in
        200) ;;
        404) return 2 ;;
        *) detail "$central/$1 answered $status" && return 1 ;;
    esac
    local sum
    sum=$(curl --silent --show-error --fail --location --retry 3 "${user[@]}" "$central/$1.${3%sum}") || return 1
    sum=${sum%% *}
    if [ "$("$3" "$2" | cut -d ' ' -f 1)" != "$sum" ]; then
        detail "$central/$1 is not what its $3 says"
        return 1
    fi
}

# Tells which versions of $1, a path below the central repository, there are: the newest first.
tell_versions() {
    local versions
    versions=$(curl --silent --fail --location "$central/$1/maven-metadata.xml" \
        | sed -n 's:.*<version>\(.*\)</version>.*:\1:p' | grep -v '[[:alpha:]]' | tac | head -n 12 | paste -s -d ' ')
    tell versions "$versions"
}

# Makes a program of a part of Java that Debian's runtime has, but no command for: module $2.
add_tool() {
    printf '#!/bin/sh\nexec java --module %s "$@"\n' "$2" > ".heroku/bin/$1" && chmod +x ".heroku/bin/$1"
}

# Adds what dynos need, and sends the app.
finish_app() {
    step pack
    mkdir -p .profile.d && cp /kigo/jvm-profile.sh .profile.d/jvmcommon.sh \
        && cp /kigo/jvm-jdbc.sh .profile.d/jdbc.sh \
        && cp /kigo/jvm-spring.sh .profile.d/jvm-spring-configuration.sh || exit 1
    mkdir -p .heroku/bin && add_tool jshell jdk.jshell/jdk.internal.jshell.tool.JShellToolProvider \
        && add_tool jcmd jdk.jcmd/sun.tools.jcmd.JCmd && add_tool jps jdk.jcmd/sun.tools.jps.Jps \
        && add_tool jmap jdk.jcmd/sun.tools.jmap.JMap && add_tool jstack jdk.jcmd/sun.tools.jstack.JStack || exit 1
    # Dynos have their Java in the same place.
    [ -e .jdk ] || ln -s "$JAVA_HOME" .jdk || exit 1
    cd /
    send app "$BUILD_DIR" "$@" || exit 1
}
