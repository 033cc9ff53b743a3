# Maven's phase `test`, with the Maven that built the app and what that has downloaded.
kept=/kigo-cache/maven
mvn=$kept/apache-maven-$KIGO_MAVEN/bin/mvn
if [ -z "$KIGO_MAVEN" ]; then
    mvn=./mvnw
    chmod +x mvnw
fi
export MAVEN_USER_HOME=$kept
export MAVEN_OPTS="-Xmx1024m${MAVEN_JAVA_OPTS:+ $MAVEN_JAVA_OPTS} -Duser.home=/app -Dmaven.repo.local=$kept/repository"
tests="$mvn -B"
[ ! -f /kigo/host/maven-settings.xml ] || tests+=" -gs /kigo/host/maven-settings.xml"
for settings in "${MAVEN_SETTINGS_PATH:-}" settings.xml; do
    [ -n "$settings" ] && [ -f "$settings" ] && tests+=" -s '$settings'" && break
done
tests+=" test"
shown="${mvn#"$kept"/apache-maven-*/bin/} test"
