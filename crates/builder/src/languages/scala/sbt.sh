# How sbt is started, in builds and in tests. Sourced after jvm.sh.

kept=/kigo-cache/sbt
launcher=$kept/launcher/sbt-launch-$KIGO_SBT.jar

# The options that sbt is started with; the app's own come last and win.
options() {
    local option own=()
    for option in ${SBT_OPTS:-}; do
        # For the usual launcher's ears.
        own+=("${option#-J}")
    done
    mkdir -p "$kept"/{ivy,coursier,boot,global} && cp /kigo/scala-global.sbt "$kept/global/kigo.sbt" || return 1
    options=(
        -Xmx1536m -Xss4m "${quick[@]}" -Duser.home="$HOME" -Dsbt.ci=true
        -Dsbt.log.noformat=true -Dsbt.color=false -Dsbt.supershell=false
        -Dsbt.ivy.home="$kept/ivy" -Dsbt.coursier.home="$kept/coursier"
        -Dsbt.boot.directory="$kept/boot" -Dsbt.global.base="$kept/global"
        "${proxy[@]/#/-D}"
    )
    # The list is for the launcher; what the build has itself is redirected by Coursier, if it can be.
    if [ -n "${KIGO_MAVEN_CENTRAL:-}" ]; then
        printf '[repositories]\nlocal\nmaven-central: %s\n' "$central" > /tmp/repositories
        printf 'central.from=https://repo1.maven.org/maven2\ncentral.to=%s\n' "$central" > /tmp/mirror.properties
        export COURSIER_MIRRORS=/tmp/mirror.properties
        options+=(-Dsbt.repository.config=/tmp/repositories -Dcoursier.mirrors=/tmp/mirror.properties)
        [ -z "${KIGO_MAVEN_ALL:-}" ] || options+=(-Dsbt.override.build.repos=true)
    fi
    options+=("${own[@]}")
}
