# Fetches the buildpacks listed in /kigo/addresses and sends them: each lies in a directory by its
# number then, and images in one layout.

. /kigo/common.sh

export GIT_TERMINAL_PROMPT=0
mkdir -p /tmp/buildpacks

fetch_git() {
    local url=$1 ref=$2
    git init --quiet . && git remote add origin "$url" || return 1
    # A commit may not be fetchable by itself, so that everything has to be.
    if git fetch --quiet --depth 1 origin "${ref:-HEAD}" 2> /tmp/fetch.err; then
        git checkout --quiet --force FETCH_HEAD || return 1
    else
        git fetch --quiet --tags origin '+refs/heads/*:refs/remotes/origin/*' || return 1
        git checkout --quiet --force "${ref:-origin/HEAD}" 2> /dev/null \
            || git checkout --quiet --force "origin/$ref" || return 1
    fi
    [ ! -f .gitmodules ] || git submodule --quiet update --init --recursive --depth 1
}

unpack_archive() {
    tar -xz --no-same-owner -C . || return 1
    # Archives of code hosts have everything in one directory.
    if [ ! -e bin ] && [ ! -e buildpack.toml ]; then
        local only
        only=$(find . -mindepth 1 -maxdepth 1)
        if [ -d "$only/bin" ] || [ -f "$only/buildpack.toml" ]; then cp -a "$only"/. .; fi
    fi
    return 0
}

fetch() {
    # A local repository belongs to somebody else, of which git has to be told in a file.
    printf '[safe]\n\tdirectory = *\n' > /tmp/fetch.gitconfig
    local -x GIT_CONFIG_GLOBAL=/tmp/fetch.gitconfig
    case $1 in
        git) fetch_git "$2" "$3" ;;
        archive) curl --silent --show-error --fail --location --retry 2 --connect-timeout 20 "$2" | unpack_archive ;;
        local)
            if [ -f "$2" ]; then
                unpack_archive < "$2"
            elif [ -e "$2/.git" ] || [ -f "$2/HEAD" ]; then
                fetch_git "file://$2" "$3"
            else
                cp -a "$2"/. .
            fi
            ;;
        app) cp -a "/kigo/source/$2"/. . ;;
        image)
            skopeo --insecure-policy --registries-conf /kigo/registries.conf --tmpdir /tmp copy --quiet \
                "docker://$2" "oci:/tmp/images:$number"
            ;;
    esac
}

step fetch
# The list has a descriptor of its own: what fetches may read its standard input.
while IFS=$'\t' read -r number kind address ref <&3; do
    tell buildpack "$number"
    mkdir -p "/tmp/buildpacks/$number"
    cd "/tmp/buildpacks/$number" || exit 1
    fetch "$kind" "$address" "$ref" 2>&1 | sed -u 's/^/ !     /' || exit 1
done 3< /kigo/addresses

step send
cd /
send buildpacks /tmp/buildpacks || exit 1
[ ! -d /tmp/images ] || send images /tmp/images
