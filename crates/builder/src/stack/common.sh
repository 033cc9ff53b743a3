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
