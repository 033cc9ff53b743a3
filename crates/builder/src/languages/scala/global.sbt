// Documentation is of no use in a dyno, and takes as long to make as the app itself.
Compile / doc / sources := Nil
packageDoc / publishArtifact := false
packageSrc / publishArtifact := false
// Advice for a terminal. Without the rank, settings that a build does not use are warned of.
Global / suppressSbtShellNotification.withRank(KeyRanks.Invisible) := true
