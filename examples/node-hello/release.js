// The release command: runs once before a new release goes live. A real app would migrate its
// database here. When it fails, the old release stays.
console.log(`preparing release ${process.env.HEROKU_RELEASE_VERSION ?? "unknown"}`);
if (process.env.FAIL_RELEASE) {
    console.error("FAIL_RELEASE is set, so this release fails");
    process.exit(1);
}
console.log("everything is in place");
