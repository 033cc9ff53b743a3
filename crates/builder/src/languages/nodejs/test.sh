# The script `test` of package.json, with the app's package manager.
if node -e 'process.exit(require("/app/package.json").scripts?.test ? 0 : 1)' 2> /dev/null; then
    if [ -f yarn.lock ]; then
        tests="yarn test"
    elif [ -f pnpm-lock.yaml ]; then
        tests="pnpm test"
    else
        tests="npm test"
    fi
fi
