export GOROOT=/usr/local/go
export PATH="$PATH:$GOROOT/bin"
