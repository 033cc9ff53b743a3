name := "greetings"
version := "1.0"
scalaVersion := "3.3.7"

lazy val root = (project in file(".")).enablePlugins(PlayScala)

libraryDependencies += guice
