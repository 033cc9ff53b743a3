# sbt's task `test`, with what the build has downloaded.
. /kigo/jvm.sh
. /kigo/scala-sbt.sh
choose_tier
options || exit 1
printf -v tests '%q ' java "${options[@]}" -jar "$launcher" test
shown="sbt test"
