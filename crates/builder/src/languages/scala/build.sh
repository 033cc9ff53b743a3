# Builds a Scala app in $BUILD_DIR with sbt, version $KIGO_SBT.

. /kigo/common.sh
. /kigo/jvm.sh
. /kigo/scala-sbt.sh

compiled=/kigo-cache/sbt_target
prepare
open_directory sbt
open_directory sbt_target

install_launcher() {
    [ ! -f "$launcher" ] || return 0
    heading "Downloading sbt launcher $KIGO_SBT..."
    rm -rf "$kept/launcher" && mkdir -p "$kept/launcher" || return 1
    from_central "org/scala-sbt/sbt-launch/$KIGO_SBT/sbt-launch-$KIGO_SBT.jar" /tmp/launcher.jar sha1sum
    case $? in
        0) mv /tmp/launcher.jar "$launcher" ;;
        2)
            step no-sbt
            tell_versions org/scala-sbt/sbt-launch
            return 1
            ;;
        *) return 1 ;;
    esac
}

# What is run: by Heroku's config vars, or the settings that it takes from system.properties.
tasks() {
    local task project=${KIGO_SBT_PROJECT:-${SBT_PROJECT:-}} pre=${KIGO_SBT_PRE_TASKS:-${SBT_PRE_TASKS:-}}
    tasks=()
    local usual=${SBT_TASKS:-compile stage}
    [ "$KIGO_TEST" = 0 ] || case $KIGO_SBT in 0.*) usual=test:compile ;; *) usual=Test/compile ;; esac
    for task in $pre $usual; do
        tasks+=("${project:+$project/}$task")
    done
    [ "${KIGO_SBT_CLEAN:-${SBT_CLEAN:-}}" != true ] || tasks=("${project:+$project/}clean" "${tasks[@]}")
}

# Directories in which sbt compiles, of the app, its projects and its build.
targets() {
    find . -maxdepth 4 -name target -type d -prune ! -path './.*' ! -path '*/node_modules/*' -printf '%P\n'
}

restore_targets() {
    [ -z "$(ls -A "$compiled")" ] || cp -a "$compiled"/. .
}

# What is staged is made anew in each build.
keep_targets() {
    local target
    targets | while IFS= read -r target; do
        mkdir -p "$compiled/$target" \
            && rsync --archive --delete --exclude=/universal --exclude='/out/**/universal' "$target"/ "$compiled/$target"/
    done
}

run_sbt() {
    java "${options[@]}" -jar "$launcher" "${tasks[@]}" 2>&1 | tee /tmp/sbt.log
    return "${PIPESTATUS[0]}"
}

# As on Heroku, if a process runs sbt; but not for nothing.
keep_sbt() {
    case ${SBT_AT_RUNTIME:-} in
        false) return 0 ;;
        true) ;;
        *) grep -q -s -w sbt Procfile || return 0 ;;
    esac
    heading "Copying sbt and dependencies into slug for runtime use"
    mkdir -p .heroku/scala/bin .sbt_home .profile.d || return 1
    cp "$launcher" .heroku/scala/sbt-launch.jar || return 1
    printf '#!/bin/sh\nexec java $SBT_OPTS -jar "$HOME/.heroku/scala/sbt-launch.jar" "$@"\n' > .heroku/scala/bin/sbt
    chmod +x .heroku/scala/bin/sbt && cp /kigo/scala-profile.sh .profile.d/scala.sh || return 1
    cp -a "$kept"/{ivy,coursier,boot,global} .sbt_home/
}

step sbt
install_launcher || exit 1

step build
options || exit 1
tasks
restore_targets || exit 1
heading "Running: sbt ${tasks[*]}"
[ -n "$(ls -A "$kept/boot")" ] || detail "Downloading what the build needs, which is kept for the next one"
if ! indented run_sbt; then
    if grep -q -i 'Not a valid \(key\|command\): stage' /tmp/sbt.log; then
        step no-stage
    elif grep -q -i -E 'Compilation failed|javac returned non-zero exit code' /tmp/sbt.log; then
        step compile
    fi
    exit 1
fi

step pack
keep_targets || exit 1
mapfile -t staged < <(find . \( -path '*/target/universal/stage/bin/*' -o -path '*/target/out/*/universal/stage/bin/*' \) \
    -type f -executable -printf '%P\n' 2> /dev/null)
if [ "${#staged[@]}" = 1 ]; then
    tell program "${staged[0]}"
elif [ -f target/start ]; then
    tell program target/start
fi
if [ "${#staged[@]}" -gt 0 ] && [ "${KEEP_SBT_CACHE:-}" != true ]; then
    heading "Dropping compilation artifacts from the slug"
    rm -rf target/scala-* target/streams target/resolution-cache project/target project/project
fi
keep_sbt || exit 1
finish_app
rm -rf "$kept"/{boot,global}/*.lock "$kept/global/server"
close_directory sbt
close_directory sbt_target
