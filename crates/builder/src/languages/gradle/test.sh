# Gradle's task `check`, with what the build has downloaded and compiled.
export GRADLE_USER_HOME=/kigo-cache/gradle
export GRADLE_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${GRADLE_OPTS:-}"
chmod +x gradlew
# Gradle itself is known by where it came from.
wrapper=gradle/wrapper/gradle-wrapper.properties
if [ -n "${KIGO_GRADLE_MIRROR:-}" ] && [ -f "$wrapper" ]; then
    sed -i "s#https\\\\\\?://services\\.gradle\\.org/distributions#${KIGO_GRADLE_MIRROR//:/\\\\:}#" "$wrapper"
fi
tests="./gradlew --console=plain check"
shown="./gradlew check"
