"""Writes the buildpacks below the working directory as an image: the OCI layout `image`, a layer each."""
import gzip, hashlib, io, json, os, platform, sys, tarfile, tomllib

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def put(content):
    digest = hashlib.sha256(content).hexdigest()
    with open(f"image/blobs/sha256/{digest}", "wb") as file:
        file.write(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def layer(folder, about):
    out = io.BytesIO()
    place = f"cnb/buildpacks/{about['id'].replace('/', '_')}/{about['version']}"
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(folder, place)
        if len(sys.argv) > 1:
            tar.addfile(tarfile.TarInfo(sys.argv[1]))
    return out.getvalue()


os.makedirs("image/blobs/sha256")
described = []
for folder, _, files in sorted(os.walk(".")):
    if "buildpack.toml" in files:
        with open(f"{folder}/buildpack.toml", "rb") as file:
            described.append((folder, tomllib.load(file)))
layers = [layer(folder, document["buildpack"]) for folder, document in described]
entry = next(document["buildpack"] for _, document in described if "order" in document)
label = json.dumps({"id": entry["id"], "version": entry["version"], "stacks": [{"id": "*"}]})
config = {
    "architecture": ARCHITECTURE,
    "os": "linux",
    "config": {"Labels": {"io.buildpacks.buildpackage.metadata": label}},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(one).hexdigest() for one in layers]},
}
manifest = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(json.dumps(config).encode())},
    "layers": [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(gzip.compress(one, 1, mtime=0))}
        for one in layers
    ],
}
index = {"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], **put(json.dumps(manifest).encode())}]}
with open("image/index.json", "w") as file:
    json.dump(index, file)
with open("image/oci-layout", "w") as file:
    file.write('{"imageLayoutVersion": "1.0.0"}')
