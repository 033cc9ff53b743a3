"""Writes images as OCI layouts below the working directory: honest ones of busybox, and hostile ones."""
import gzip, hashlib, io, json, os, platform, shutil, sys, tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
BUSYBOX = open(shutil.which("busybox"), "rb").read()
PAGE = "exec busybox httpd -f -p $PORT -h /www"


def entry(name, kind=tarfile.REGTYPE, content=b"", mode=0o755, link="", owner=0):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.linkname, info.uid, info.gid = kind, len(content), mode, link, owner, owner
    return info, content


def archive(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def base():
    names = ["sh", "busybox", "echo", "id", "pwd", "cat", "sleep"]
    links = [entry(f"bin/{name}", tarfile.SYMTYPE, link="busybox.real") for name in names]
    return archive(
        entry("bin", tarfile.DIRTYPE),
        entry("bin/busybox.real", content=BUSYBOX),
        *links,
        entry("etc/passwd", content=b"root:x:0:0::/root:/bin/sh\nweb:x:4321:5432::/home/web:/bin/sh\n", mode=0o644),
        entry("srv/data", tarfile.DIRTYPE, mode=0o755, owner=4321),
    )


def put(folder, content):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"{folder}/blobs/sha256/{digest}", "wb") as file:
        file.write(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def image(name, archives, command, **more):
    os.makedirs(f"{name}/blobs/sha256")
    layers = []
    for one in archives:
        packed = gzip.compress(one, 1, mtime=0)
        layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(name, packed)})
    config = {
        "architecture": more.pop("architecture", ARCHITECTURE),
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin", f"GREETING=hello from {name}"], "WorkingDir": "/srv", **more},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(one).hexdigest() for one in archives]},
        # As every tool writes it; buildah takes nothing for a cache that began from an image without.
        "history": [{"created_by": "images.py"} for _ in archives],
    }
    described = put(name, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **described},
        "layers": layers,
    }
    described = put(name, json.dumps(manifest).encode())
    index = {
        "schemaVersion": 2,
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **described}],
    }
    with open(f"{name}/oci-layout", "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')
    with open(f"{name}/index.json", "w") as file:
        json.dump(index, file)
    with open(f"{name}.digest", "w") as file:
        file.write(described["digest"])


def page(text):
    return archive(entry("www/index.html", content=text.encode(), mode=0o644))


def sparse(size):
    """A file of GNU's sparse kind that claims a size and has no data."""
    header = bytearray(tarfile.TarInfo("big").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[124:136] = b"00000000000\0"
    header[386:398] = b"\x80" + size.to_bytes(11, "big")
    header[398:410] = b"00000000000\0"
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def plain(size):
    info = tarfile.TarInfo("big")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)


BASE = base()
image("first", [BASE, page("first page")], ["/bin/sh", "-c", PAGE], User="web")
image("second", [BASE, page("second page")], ["sh", "-c", PAGE])
image("worker", [BASE], ["-c", "echo worker of $GREETING in $(pwd); exec sleep 100000"], Entrypoint=["/bin/sh"])
image("release", [BASE], ["/bin/sh", "-c", "echo released by $DYNO"])
image("fails", [BASE], ["/bin/sh", "-c", "echo about to fail; exit 9"])
image("idle", [BASE], None)
image("foreign", [BASE], ["/bin/sh"], architecture="riscv64")
image("nobody", [BASE], ["/bin/sh"], User="nobody-here")

REGULAR, LINK, SYMBOLIC, CHARACTER = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE
image("dots", [archive(entry("../../etc/evil", content=b"evil"))], ["/bin/sh"])
image("absolute", [archive(entry("/etc/evil", content=b"evil"))], ["/bin/sh"])
image("hardlink", [archive(entry("shadow", LINK, link="/etc/shadow"))], ["/bin/sh"])
image("symlink", [archive(entry("out", SYMBOLIC, link="/etc"), entry("out/evil", content=b"evil"))], ["/bin/sh"])
image("sparse", [sparse(1 << 40)], ["/bin/sh"])
image("huge", [plain(1 << 40)], ["/bin/sh"])
block = tarfile.TarInfo("f").tobuf(tarfile.GNU_FORMAT)
image("many", [block * 1_000_000 + bytes(1024)], ["/bin/sh"])
image("device", [BASE, page("device page"), archive(entry("srv/sda", CHARACTER))], ["/bin/sh", "-c", PAGE])
