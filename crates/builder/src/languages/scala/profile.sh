# Where sbt and what it downloaded are, for processes that run it.
export PATH="$HOME/.heroku/scala/bin:$PATH"
SBT_OPTS="-Dsbt.ivy.home=$HOME/.sbt_home/ivy -Dsbt.coursier.home=$HOME/.sbt_home/coursier ${SBT_OPTS:-}"
SBT_OPTS="-Dsbt.boot.directory=$HOME/.sbt_home/boot -Dsbt.global.base=$HOME/.sbt_home/global $SBT_OPTS"
export SBT_OPTS="-Dsbt.log.noformat=true -Dsbt.color=false $SBT_OPTS"
