# Builds a Java app in $BUILD_DIR with Maven: the app's own, or version $KIGO_MAVEN.

. /kigo/common.sh
. /kigo/jvm.sh

kept=/kigo-cache/maven
prepare
open_directory maven

# Puts Maven of version $1 into the kept directory.
install_maven() {
    local place=$kept/apache-maven-$1 archive=/tmp/maven.tar.gz
    local path=org/apache/maven/apache-maven/$1/apache-maven-$1-bin.tar.gz
    mvn=$place/bin/mvn
    [ ! -x "$mvn" ] || return 0
    heading "Installing Maven $1..."
    from_central "$path" "$archive" sha512sum
    case $? in
        0) ;;
        2)
            step no-maven
            tell_versions org/apache/maven/apache-maven
            return 1
            ;;
        *) return 1 ;;
    esac
    # Others are not needed any more.
    rm -rf "$kept"/apache-maven-*
    tar -xzf "$archive" --no-same-owner -C "$kept" && rm "$archive"
}

# Puts the app's settings where Maven looks, as Heroku does. They may hold passwords, so that what
# was put there is taken away again.
settings=.m2/settings.xml
own_settings=0
install_settings() {
    if [ -f "$settings" ]; then
        own_settings=1
        if [ -n "${MAVEN_SETTINGS_PATH:-}${MAVEN_SETTINGS_URL:-}" ]; then
            detail "Using the app's $settings, not MAVEN_SETTINGS_PATH or MAVEN_SETTINGS_URL"
        fi
        return 0
    fi
    mkdir -p .m2 || return 1
    if [ -n "${MAVEN_SETTINGS_PATH:-}" ]; then
        heading "Using settings.xml from $MAVEN_SETTINGS_PATH"
        cp "$MAVEN_SETTINGS_PATH" "$settings"
    elif [ -n "${MAVEN_SETTINGS_URL:-}" ]; then
        heading "Using settings.xml from MAVEN_SETTINGS_URL"
        curl --silent --show-error --fail --location --retry 3 --connect-timeout 15 --max-time 30 \
            --output "$settings" "$MAVEN_SETTINGS_URL"
    elif [ -f settings.xml ]; then
        heading "Using settings.xml from project directory"
        cp settings.xml "$settings"
    fi
}

# Installed by this build, and by the next one again.
forget_own_artifacts() {
    local marker version
    grep -rlZ --include=_remote.repositories '>=$' "$kept/repository" 2> /dev/null | while IFS= read -r -d '' marker; do
        version=${marker%/*}
        rm -rf "$version"
        rm -f "${version%/*}/maven-metadata-local.xml"
    done
}

step maven
# Maven's wrapper looks there.
export MAVEN_USER_HOME=$kept
if [ -n "$KIGO_MAVEN" ]; then
    install_maven "$KIGO_MAVEN" 2>&1 || exit 1
else
    mvn=./mvnw
    chmod +x mvnw
fi

step settings-file
install_settings 2>&1 || exit 1

step build
log=org.slf4j.simpleLogger.log.org.apache.maven
export MAVEN_OPTS="-Xmx1024m ${quick[*]}${MAVEN_JAVA_OPTS:+ $MAVEN_JAVA_OPTS} -Duser.home=$BUILD_DIR -Dmaven.repo.local=$kept/repository"
# Not each of the files that it downloads.
MAVEN_OPTS+=" -D$log.cli.transfer.Slf4jMavenTransferListener=warn -D$log.cling.transfer.Slf4jMavenTransferListener=warn"
options=${MAVEN_CUSTOM_OPTS:--DskipTests}
goals=${MAVEN_CUSTOM_GOALS:-clean dependency:list install}
[ "$KIGO_TEST" = 0 ] || goals="clean dependency:resolve-plugins test-compile"
host=()
[ ! -f /kigo/host/maven-settings.xml ] || host=(-gs /kigo/host/maven-settings.xml)
heading "Executing Maven"
[ -d "$kept/repository" ] || detail "Downloading what the build needs, which is kept for the next one"
detail "\$ ${mvn#"$kept"/apache-maven-*/bin/} $options $goals"
# shellcheck disable=SC2086
indented "$mvn" -DoutputFile=target/mvn-dependency-list.log -B "${host[@]}" $options $goals || exit $?

step pack
tell jar "$(find target -maxdepth 1 -name '*.jar' -type f -printf '%s\t%p\n' 2> /dev/null | sort -rn | head -n 1 | cut -f 2)"
[ "$own_settings" = 1 ] || rm -f "$settings"
rmdir --ignore-fail-on-non-empty .m2 2> /dev/null
finish_app
forget_own_artifacts
close_directory maven
