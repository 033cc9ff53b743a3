//! What a container cannot do. Where it is possible each probe is shown to work on the host, so
//! that it cannot fail for a reason of its own.

mod support;

use container::Ownership;
use engine::Mount;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use support::{Machine, shell};

/// Runs the script inside and returns what it printed.
async fn probe(script: &str) -> String {
    let machine = Machine::new();
    let (_, printed) = machine.run(script).await;
    machine.clean().await;
    printed
}

#[tokio::test]
async fn a_container_has_no_capability_and_cannot_get_one() {
    let printed = probe("grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/self/status").await;
    for line in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(printed.contains(&format!("{line}:\t0000000000000000\n")), "{printed}");
    }
    assert!(printed.contains("NoNewPrivs:\t1\n") && printed.contains("Seccomp:\t2\n"), "{printed}");
    assert!(
        printed.contains("Uid:\t1000\t1000\t1000\t1000\n") && printed.contains("Groups:\t1000"),
        "{printed}"
    );
}

#[tokio::test]
async fn even_root_inside_has_none_and_is_nobody_outside() {
    let machine = Machine::new();
    let mut spec = shell(
        "id -u; grep CapEff /proc/self/status; touch /etc/made && echo made; chown 5 /etc/made || echo no; mount -t tmpfs x /tmp || echo no",
    );
    spec.user = 0;
    let (_, printed) = machine.run_spec(&spec).await;
    assert!(printed.starts_with("0\nCapEff:\t0000000000000000\nmade\n"), "{printed}");
    assert_eq!(printed.matches("\nno\n").count(), 2, "{printed}");
    machine.clean().await;
}

#[tokio::test]
async fn with_the_power_over_packages_its_files_are_its_own_and_the_host_s_are_not() {
    let machine = Machine::new();
    let directory = machine.path().join("host");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("file"), "host").unwrap();
    let mut spec = shell(
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status
        touch /etc/made && chown 5:6 /etc/made && chmod 4755 /etc/made && stat -c '%u %g %a' /etc/made
        mount -t tmpfs x /tmp 2>/dev/null || echo no mount
        mknod /etc/disk b 8 0 2>/dev/null || echo no device
        chroot / true 2>/dev/null || echo no chroot
        hostname other 2>/dev/null || echo no name
        echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo no setting
        chown 5 /host/file 2>/dev/null || echo not the host",
    );
    spec.user = 0;
    spec.power = engine::Power::Packages;
    spec.mounts = vec![Mount { source: directory.clone(), target: "/host".into(), read_only: true }];
    let (_, printed) = machine.run_spec(&spec).await;
    let kept = "00000000800000fb";
    assert!(printed.starts_with(&format!("CapEff:\t{kept}\nCapBnd:\t{kept}\nNoNewPrivs:\t1\n")), "{printed}");
    assert!(printed.contains("\n5 6 4755\n"), "{printed}");
    for refused in ["no mount", "no device", "no chroot", "no name", "no setting", "not the host"] {
        assert!(printed.contains(&format!("\n{refused}")), "{printed}");
    }
    assert_eq!(fs::metadata(directory.join("file")).unwrap().uid(), 0);
    machine.clean().await;
}

#[tokio::test]
async fn with_the_power_over_images_it_mounts_inside_and_the_host_stays_out_of_reach() {
    let machine = Machine::new();
    let directory = machine.path().join("host");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("file"), "host").unwrap();
    let mut spec = shell(
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status
        mkdir /tmp/root && mount -t tmpfs x /tmp/root && mkdir /tmp/root/bin && mount --bind /bin /tmp/root/bin
        cp -a /lib* /tmp/root 2>/dev/null; chroot /tmp/root /bin/busybox echo inside
        unshare -m true && echo unshared
        unshare -U true 2>/dev/null || echo no user namespace
        unshare -n true 2>/dev/null || echo no network namespace
        mount -o remount,rw,bind /host 2>/dev/null; echo x 2>/dev/null > /host/file || echo not the host
        mount -o remount,rw /host 2>/dev/null; chown 5 /host/file 2>/dev/null || echo not the host either
        umount /host 2>/dev/null; ls -A /host 2>/dev/null
        umount /proc/sys 2>/dev/null; echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo no setting
        mknod /etc/disk b 8 0 2>/dev/null || echo no device
        mkdir /tmp/cg && for one in memory pids; do
            mount -t cgroup -o $one x /tmp/cg 2>/dev/null && echo 0 2>/dev/null > /tmp/cg/cgroup.procs && echo out
        done
        mount -t cgroup2 x /tmp/cg 2>/dev/null && echo 0 2>/dev/null > /tmp/cg/cgroup.procs && echo out
        echo end",
    );
    spec.user = 0;
    spec.power = engine::Power::Images;
    spec.mounts = vec![Mount { source: directory.clone(), target: "/host".into(), read_only: true }];
    let (_, printed) = machine.run_spec(&spec).await;
    let kept = "00000000802405fb";
    assert!(printed.starts_with(&format!("CapEff:\t{kept}\nCapBnd:\t{kept}\nNoNewPrivs:\t1\n")), "{printed}");
    for words in [
        "inside",
        "unshared",
        "no user namespace",
        "no network namespace",
        "not the host",
        "not the host either",
        "no setting",
        "no device",
        "end",
    ] {
        assert!(printed.contains(&format!("\n{words}\n")), "no {words}: {printed}");
    }
    assert!(!printed.contains("\nout\n"), "{printed}");
    assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), "host");
    assert_eq!(fs::metadata(directory.join("file")).unwrap().uid(), 0);
    machine.clean().await;
}

#[tokio::test]
async fn without_user_ids_of_its_own_a_container_has_no_power_over_images() {
    let machine = Machine::with(|config| config.ownership = Ownership::Identity);
    let mut spec = shell("echo started");
    spec.power = engine::Power::Images;
    let (exit, printed) = machine.run_spec(&spec).await;
    let failure = exit.failure.unwrap_or_default();
    assert!(failure.contains("user ids of its own") && printed.is_empty(), "{failure} {printed}");
    machine.clean().await;
}

#[tokio::test]
async fn system_calls_that_reach_out_are_refused() {
    let machine = Machine::new();
    let directory = machine.path().join("probe");
    fs::create_dir(&directory).unwrap();
    let source = directory.join("probe.c");
    fs::write(&source, PROBE).unwrap();
    let built = Command::new("cc").args(["-static", "-o"]).arg(directory.join("probe")).arg(&source).status();
    assert!(built.unwrap().success(), "a C compiler has to be installed");
    fs::set_permissions(directory.join("probe"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut spec = shell("/probe/probe");
    spec.mounts = vec![Mount { source: directory.clone(), target: "/probe".into(), read_only: true }];
    let (exit, printed) = machine.run_spec(&spec).await;
    assert_eq!(exit.code, 0, "{printed}");
    for name in [
        "mount",
        "umount2",
        "ptrace",
        "bpf",
        "unshare",
        "clone-newuser",
        "setns",
        "keyctl",
        "add_key",
        "io_uring_setup",
        "userfaultfd",
        "perf_event_open",
        "open_by_handle_at",
        "process_vm_readv",
        "socketpair-tipc",
        "kexec_load",
        "init_module",
        "reboot",
        "swapon",
        "pivot_root",
        "chroot",
        "move_mount",
        "fsopen",
    ] {
        assert!(printed.contains(&format!("{name} EPERM\n")), "{name}: {printed}");
    }
    // As a kernel answers that was built without them, which programs know how to live with.
    for name in ["socket-packet", "socket-vsock", "socket-alg"] {
        assert!(printed.contains(&format!("{name} Address family not supported")), "{name}: {printed}");
    }
    for name in ["clone3", "unknown"] {
        assert!(printed.contains(&format!("{name} ENOSYS\n")), "{name}: {printed}");
    }
    for name in ["socket-inet", "socketpair-unix", "fork", "getpid", "socket-netlink"] {
        assert!(printed.contains(&format!("{name} works\n")), "{name}: {printed}");
    }
    // The control: on the host, as root, the filter is not there to refuse.
    let host = Command::new(directory.join("probe")).arg("harmless").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    for name in ["unshare", "clone-newuser", "keyctl", "fsopen", "clone3", "ptrace"] {
        assert!(host.contains(&format!("{name} works\n")), "{name} on the host: {host}");
    }
    machine.clean().await;
}

#[tokio::test]
async fn the_host_is_out_of_sight() {
    let printed = probe(
        "ls /; set -- /proc/[0-9]*; echo $# processes; cat /proc/1/environ; cat /proc/1/maps; ls -l /proc/1/exe /proc/1/root /proc/1/fd; \
         cat /proc/1/cmdline; ls /sys/firmware; cat /proc/kcore; cat /proc/keys; echo x > /proc/sysrq-trigger; \
         echo x > /proc/sys/kernel/hostname; mknod /tmp/sda b 8 0; ls /dev; ls -ld /dev/mem; cat /proc/mounts | cut -d' ' -f2",
    )
    .await;
    assert!(printed.starts_with("app\nbin\ndev\netc\nproc\nsys\ntmp\nvar\n"), "{printed}");
    // Init and the shell, which looks itself.
    assert!(printed.contains("\n2 processes\n"), "{printed}");
    for refused in [
        "/proc/1/environ': Permission denied",
        "/proc/1/maps': Permission denied",
        "/proc/1/exe: cannot read link: Permission denied",
        "/proc/sys/kernel/hostname: Read-only file system",
        "/tmp/sda: Operation not permitted",
    ] {
        assert!(printed.contains(refused), "{refused}: {printed}");
    }
    assert!(!printed.contains("kigo-container") && printed.contains("kigo-init"), "{printed}");
    // Kernels without it have nothing to protect.
    let sysrq =
        ["Read-only file system", "nonexistent directory"].map(|end| format!("/proc/sysrq-trigger: {end}"));
    assert!(sysrq.iter().any(|refusal| printed.contains(refusal)), "{printed}");
    assert!(
        printed.contains(
            "\nfd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"
        ),
        "{printed}"
    );
    let mounts: Vec<&str> = printed.lines().rev().take_while(|line| line.starts_with('/')).collect();
    for allowed in &mounts {
        assert!(
            ["/", "/dev", "/proc", "/sys"]
                .iter()
                .any(|top| allowed == top || allowed.starts_with(&format!("{top}/"))),
            "{allowed}"
        );
    }
}

#[tokio::test]
async fn a_crash_starts_no_program_of_the_host() {
    let printed = probe("grep 'core file size' /proc/self/limits").await;
    // The value that keeps the kernel from piping a core dump, in bytes.
    assert_eq!(printed.split_whitespace().collect::<Vec<_>>()[4..6], ["1", "1"], "{printed}");
}

#[tokio::test]
async fn the_usual_devices_work() {
    let printed = probe(
        "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x > /dev/full || echo full; \
         echo via > /dev/stdout; echo err > /dev/stderr; echo x > /tmp/x && cat /tmp/x; stat -c '%a %u' /tmp /dev/shm; \
         ls /sys/class/net; echo x | cat /dev/stdin",
    )
    .await;
    for part in ["3\n3\n", "full\nvia\nerr\nx\n", "1777 0\n1777 0\n", "lo\n"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
}

#[tokio::test]
async fn an_image_cannot_choose_where_on_the_host_something_is_put() {
    let machine = Machine::new();
    let outside = machine.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["etc", "dev", "proc", "sys", "tmp"] {
        let layer = machine.path().join(format!("evil-{name}"));
        fs::create_dir(&layer).unwrap();
        symlink(&outside, layer.join(name)).unwrap();
        let spec = shell("echo ran");
        let layers = vec![machine.path().join("layer"), layer];
        machine.host.spawn(spec.clone(), layers, None).await.unwrap();
        let exit = machine.wait(spec.id).await;
        let failure = exit.failure.unwrap_or_default();
        assert!(failure.contains(&format!("/{name} inside")), "{name}: {failure}");
    }
    let mut spec = shell("true");
    spec.mounts = vec![Mount { source: outside.clone(), target: "/app/../../../x".into(), read_only: false }];
    let (exit, _) = machine.run_spec(&spec).await;
    assert!(exit.failure.is_some());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A link for a file is replaced, not followed.
    let layer = machine.path().join("evil-file");
    fs::create_dir_all(layer.join("etc")).unwrap();
    symlink(outside.join("victim"), layer.join("etc/hostname")).unwrap();
    let spec = shell("cat /etc/hostname");
    machine.host.spawn(spec.clone(), vec![machine.path().join("layer"), layer], None).await.unwrap();
    machine.wait(spec.id).await;
    assert_eq!(machine.printed(spec.id), "test-host\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    machine.clean().await;
}

#[tokio::test]
async fn layers_are_stacked_and_never_written_to() {
    let machine = Machine::new();
    let upper = machine.path().join("second");
    fs::create_dir_all(upper.join("etc")).unwrap();
    fs::write(upper.join("etc/passwd"), "second\n").unwrap();
    let spec = shell(
        "cat /etc/passwd; echo mine > /app/file; rm -f /etc/passwd; ls /app; stat -c %u /etc/passwd /bin/busybox",
    );
    machine.host.spawn(spec.clone(), vec![machine.path().join("layer"), upper.clone()], None).await.unwrap();
    machine.wait(spec.id).await;
    let printed = machine.printed(spec.id);
    assert!(printed.starts_with("second\n") && printed.contains("\nfile\n0\n0\n"), "{printed}");
    assert!(!machine.path().join("layer/app/file").exists());
    assert_eq!(fs::read_to_string(upper.join("etc/passwd")).unwrap(), "second\n");
    machine.clean().await;
}

#[tokio::test]
async fn every_way_of_shifting_owners_gives_the_same_view() {
    for ownership in [Ownership::Best, Ownership::Detached, Ownership::Attached, Ownership::Identity] {
        let machine = Machine::with(|config| config.ownership = ownership);
        let script = "stat -c '%u %n' / /app /bin/busybox; echo x > /app/x && stat -c %u /app/x; id -u; cut -c1-40 /proc/self/uid_map";
        let (exit, printed) = machine.run(script).await;
        assert_eq!(exit.failure, None, "{ownership:?}");
        let base = if ownership == Ownership::Identity { 0 } else { 200_000 };
        assert!(
            printed.starts_with("0 /\n1000 /app\n0 /bin/busybox\n1000\n1000\n"),
            "{ownership:?}: {printed}"
        );
        assert!(
            printed.split_whitespace().rev().nth(1) == Some(base.to_string().as_str()),
            "{ownership:?}: {printed}"
        );
        machine.clean().await;
    }
}

/// Makes each call and prints what became of it. With an argument, only those that do no harm.
const PROBE: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/ptrace.h>

static void say(const char *name, long result) {
    if (result >= 0) printf("%s works\n", name);
    else printf("%s %s\n", name, errno == EPERM ? "EPERM" : errno == ENOSYS ? "ENOSYS" : strerror(errno));
    fflush(stdout);
}

/* In a child, so that what works stays there. */
#define CHILD(name, call) do { \
    pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); \
    if (child == 0) { say(name, (call)); _exit(0); } \
    waitpid(child, 0, 0); } while (0)

static long clone_user(void) {
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child;
}

static long clone_3(void) {
    unsigned long arguments[8] = {0};
    arguments[4] = SIGCHLD;
    long child = syscall(SYS_clone3, arguments, sizeof arguments);
    if (child == 0) _exit(0);
    return child;
}

int main(int count, char **arguments) {
    int pair[2];
    (void)arguments;
    CHILD("getpid", getpid());
    CHILD("fork", 0);
    CHILD("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
    CHILD("socketpair-unix", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHILD("socket-netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    CHILD("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
    CHILD("clone-newuser", clone_user());
    CHILD("clone3", clone_3());
    CHILD("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    CHILD("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    CHILD("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
    CHILD("unknown", syscall(9999));
    if (count > 1) return 0;
    CHILD("mount", syscall(SYS_mount, "x", "/tmp", "tmpfs", 0, 0));
    CHILD("umount2", syscall(SYS_umount2, "/proc", 0));
    CHILD("bpf", syscall(SYS_bpf, 0, 0, 0));
    CHILD("setns", syscall(SYS_setns, -1, 0));
    CHILD("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    CHILD("io_uring_setup", syscall(SYS_io_uring_setup, 1, 0));
    CHILD("userfaultfd", syscall(SYS_userfaultfd, 0));
    CHILD("perf_event_open", syscall(SYS_perf_event_open, 0, 0, -1, -1, 0));
    CHILD("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, 0, 0));
    CHILD("process_vm_readv", syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0));
    CHILD("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
    CHILD("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    CHILD("socket-alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    CHILD("socketpair-tipc", socketpair(AF_TIPC, SOCK_STREAM, 0, pair));
    CHILD("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    CHILD("init_module", syscall(SYS_init_module, 0, 0, ""));
    CHILD("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    CHILD("swapon", syscall(SYS_swapon, "x", 0));
    CHILD("pivot_root", syscall(SYS_pivot_root, ".", "."));
    CHILD("chroot", syscall(SYS_chroot, "/"));
    CHILD("move_mount", syscall(SYS_move_mount, -1, "", -1, "", 0));
    return 0;
}
"#;
