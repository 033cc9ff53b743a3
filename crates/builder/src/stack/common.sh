# What both layers' archives have in common.

# Lists the root's files, sorted and ended by NUL, without what belongs to a running machine or
# tells of this host (its proxy, say). Arguments narrow it down.
listed() {
    find . -xdev \
        \( -path ./proc -o -path ./sys -o -path ./dev -o -path './run/*' -o -path './tmp/*' \
        -o -path './var/lib/apt/lists/*' -o -path './var/cache/apt/*' -o -path './var/log/*' \) -prune \
        -o ! -path ./var/cache/ldconfig/aux-cache ! -path './var/lib/dpkg/*-old' \
        ! -path './var/cache/debconf/*-old' ! -path ./etc/machine-id ! -path ./etc/resolv.conf \
        ! -path ./etc/hostname ! -path ./etc/apt/sources.list ! -path './etc/apt/apt.conf.d/*mmdebstrap' \
        "$@" -print0 | LC_ALL=C sort -z
}

# Writes an archive that depends on nothing but the files' names and content.
tar_layer() {
    case $1 in -r) mode=-r; shift ;; *) mode=-c ;; esac
    tar $mode --null --no-recursion --numeric-owner --format=pax \
        --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
        --clamp-mtime --mtime="@$SOURCE_DATE_EPOCH" --xattrs --xattrs-include=security.capability "$@"
}

# Makes whiteouts, below directory $3, for what is listed in $1 and not in $2, unless its whole
# directory is gone; their list is in $3.list.
gone() {
    tr '\0' '\n' < "$1" > "$3.before"
    tr '\0' '\n' < "$2" > "$3.after"
    LC_ALL=C comm -23 "$3.before" "$3.after" | while IFS= read -r path; do
        parent=${path%/*}
        [ -d "$parent" ] || continue
        mkdir -p "$3/$parent"
        : > "$3/$parent/.wh.${path##*/}"
    done
    (cd "$3" && find . -name '.wh.*' -print0 | LC_ALL=C sort -z) > "$3.list"
}
