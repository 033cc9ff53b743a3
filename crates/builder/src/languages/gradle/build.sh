# Builds an app in $BUILD_DIR with its Gradle.

. /kigo/common.sh
. /kigo/jvm.sh

kept=/kigo-cache/gradle
wrapper=gradle/wrapper/gradle-wrapper.properties
prepare
open_directory gradle
export GRADLE_USER_HOME=$kept
# The program that only talks to the daemon need not be optimised.
export GRADLE_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${GRADLE_OPTS:-}"

write_settings() {
    cat > "$kept/gradle.properties" << END
org.gradle.welcome=never
org.gradle.caching=true
org.gradle.projectcachedir=$kept/project
org.gradle.vfs.watch=false
END
    printf '%s\n' "${proxy[@]/#/systemProp.}" >> "$kept/gradle.properties"
    mkdir -p "$kept/init.d" && cp /kigo/gradle-mirror.gradle "$kept/init.d/kigo.gradle" && chmod +x gradlew || return 1
    # A host may have Gradle itself from elsewhere; the app's own address is put back below.
    if [ -n "${KIGO_GRADLE_MIRROR:-}" ] && [ -f "$wrapper" ]; then
        cp -p "$wrapper" /tmp/wrapper.properties || return 1
        sed -i "s#https\\\\\\?://services\\.gradle\\.org/distributions#${KIGO_GRADLE_MIRROR//:/\\\\:}#" "$wrapper"
    fi
}

# Asks Gradle what it would be to build; the first call starts its daemon.
inspect() {
    heading "Starting Gradle daemon"
    if ! ./gradlew --quiet --init-script /kigo/gradle-inspect.gradle -Dorg.gradle.configuration-cache=false \
        -Dorg.gradle.unsafe.configuration-cache=false -Dorg.gradle.unsafe.isolated-projects=false \
        kigoInspect > /tmp/inspect 2>&1; then
        grep -v '^kigo: ' /tmp/inspect | sed 's/^/       /'
        return 1
    fi
    local has="grep -q -x /tmp/inspect -e"
    if $has 'kigo: org\.springframework\.boot:.*'; then
        framework=spring-boot
        ! $has 'kigo: .*:webapp-runner.*' || framework=spring-boot-webapp-runner
    elif $has 'kigo: io\.micronaut:.*'; then
        framework=micronaut
    elif $has 'kigo: io\.quarkus:.*'; then
        framework=quarkus
    elif $has 'kigo: io\.ratpack:.*'; then
        framework=ratpack
    fi
    [ -z "${GRADLE_TASK:-}" ] || return 0
    GRADLE_TASK=stage
    $has 'kigo: stage' || case $framework in
        spring-boot* | quarkus) GRADLE_TASK="build -x check" ;;
        micronaut) GRADLE_TASK="shadowJar -x check" ;;
        ratpack) GRADLE_TASK="installDist -x check" ;;
    esac
}

# The one of the files that `find` prints that a web process is made of.
built() {
    find "$@" 2> /dev/null | grep -E -v '(plain|sources|javadoc)\.jar$' | LC_ALL=C sort | head -n 1
}

step daemon
framework=
write_settings || exit 1
inspect || exit 1
[ "$KIGO_TEST" = 0 ] || GRADLE_TASK=testClasses

step build
heading "Executing Gradle"
detail "\$ ./gradlew $GRADLE_TASK"
# shellcheck disable=SC2086
if ! indented ./gradlew --console=plain $GRADLE_TASK; then
    missing=$(./gradlew --quiet --dry-run $GRADLE_TASK 2>&1 | sed -n "s/.*Task '\([^']*\)' not found in root project.*/\1/p")
    [ -z "$missing" ] || tell missing-task "${missing%%$'\n'*}"
    exit 1
fi

step pack
./gradlew --quiet --stop > /dev/null 2>&1
[ ! -f /tmp/wrapper.properties ] || cp -p /tmp/wrapper.properties "$wrapper"
tell framework "$framework"
case $framework in
    spring-boot-webapp-runner) tell program "$(cd build 2> /dev/null && built . -type f -name 'webapp-runner-*.jar')" ;;
    spring-boot | micronaut) tell program "$(built ./build/libs -type f -name '*.jar')" ;;
    quarkus) tell program "$(built build/quarkus-app/quarkus-run.jar)" ;;
    ratpack) tell program "$(built . -path '*/build/install/*/bin/*' -type f -executable ! -name '*.bat')" ;;
esac
finish_app --exclude=./.gradle
# What only running daemons need, and what distributions were unpacked from.
rm -rf "$kept"/{daemon,workers,.tmp,notifications} "$kept"/wrapper/dists/*/*/*.zip
close_directory gradle
