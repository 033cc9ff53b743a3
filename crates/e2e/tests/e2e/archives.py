"""Writes archives into the working directory that no one may send, neither as a source nor as a slug."""
import gzip, io, tarfile

REGULAR, SYMBOLIC, HARD, DEVICE, PIPE = (
    tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)


def make(path, *entries):
    with tarfile.open(f"{path}.tgz", "w:gz") as tar:
        for name, kind, link, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            tar.addfile(info, io.BytesIO(content))


def header(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse(size):
    """A file of GNU's sparse kind that claims a size and has no data."""
    block = bytearray(header("./app/big", 0))
    block[156:157] = b"S"
    block[386:398] = b"\x80" + size.to_bytes(11, "big")
    block[398:410] = b"00000000000\0"
    block[483:495] = b"\x80" + size.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def write(path, *blocks):
    with gzip.open(f"{path}.tgz", "wb", 1) as out:
        for block in blocks:
            out.write(block)


make("dots", ("./app/../../evil", REGULAR, "", b"evil"))
make("absolute", ("/etc/evil", REGULAR, "", b"evil"))
make("symlink", ("./app/out", SYMBOLIC, "/etc", b""), ("./app/out/evil", REGULAR, "", b"evil"))
make("hardlink", ("./app/passwd", HARD, "../../../etc/passwd", b""))
make("device", ("./app/sda", DEVICE, "", b""))
make("fifo", ("./app/pipe", PIPE, "", b""))
make("deep", ("./app/" + "d/" * 200 + "f", REGULAR, "", b""))
write("sparse", sparse(1 << 40), bytes(1024))
write("bomb", header("./app/zeros", 1 << 40), *[bytes(1 << 20)] * 512)
write("many", header("./app/f", 0) * 1_000_000, bytes(1024))
with open("broken.tgz", "wb") as out:
    out.write(b"\x1f\x8b broken")
