# All packages of the module, with what the build fetched and compiled.
export GOTOOLCHAIN=local GO111MODULE=on GOPATH=/tmp/go GOCACHE=/kigo-cache/gobuild GOMODCACHE=/kigo-cache/gomodules
export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0='!bash /kigo/go-credentials.sh'
unset GIT_DIR
tests="go test ./..."
