#!/bin/bash
# Tries to get out of the place it runs in, and says what it could do. Run as
# `probes.sh OTHER GATEWAY HOST_FILE [inside]`: OTHER is another dyno's address:port, GATEWAY one of the
# host's, HOST_FILE a file that only the host has. Without `inside` it makes only those probes that
# do no harm where the doors are open; it must then run in a mount namespace of its own.
say() { if "${@:2}" </dev/null >/dev/null 2>&1; then echo "$1: open"; else echo "$1: closed"; fi; }
tcp() { timeout 3 bash -c "exec 3<>/dev/tcp/${1%:*}/${1#*:}"; }
# A system call by number, as perl makes it; fails when the kernel refuses it.
call() { perl -e 'my ($n, @a) = map { int } @ARGV; $! = 0; my $r = syscall($n, @a); exit($r == -1 && ($! == 1 || $! == 38 || $! == 13) ? 1 : 0)' -- "$@"; }

say own-file test -s "$0"
say null-device sh -c 'echo x > /dev/null'
say loopback tcp "127.0.0.1:$LOCAL_PORT"
say other-dyno tcp "$1"
say host-port tcp "$2"
say metadata tcp 169.254.169.254:80
say host-file test -e "$3"
say host-processes grep -qs kthreadd /proc/2/comm
say mount mount -t tmpfs none /tmp
say unshare-user unshare --user true
say unshare-mount unshare --mount true
say bpf call 321 5 0 0
say ptrace perl -e 'my $c = fork // exit 1; if (!$c) { sleep 5; exit } my $r = syscall(101, 16, $c, 0, 0); kill 9, $c; exit($r == -1)'
say keyctl call 250 0 -3 1
say perf-event call 298 0 0 0 0 0
say become-root timeout 5 su -c true
say chroot chroot / true
say raw-socket call 41 2 3 1

[ "$4" = inside ] || exit 0
say remount mount -o remount,rw /proc/sys
say kexec call 246 0 0 0 0
say init-module call 175 0 0 0
say mknod mknod /tmp/sda b 8 0
say raw-disk test -e /dev/sda -o -e /dev/vda -o -e /dev/nvme0n1
say kernel-memory test -r /proc/kcore
say sysctl sh -c 'echo 1 > /proc/sys/kernel/core_pattern'
say sysrq sh -c 'echo h > /proc/sysrq-trigger'
say cgroup-write sh -c 'echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes'
say set-time date -s "$(date)"
say set-hostname hostname escaped
