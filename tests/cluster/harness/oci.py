"""Image archives (docker-archive, what `ctr images import` and `docker load` read) made without a daemon: one file, fixed times."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"


def layer_of(files: dict[str, Path]) -> bytes:
    """A layer with executables and the folders above them; the same files make the same bytes."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        made = set()
        for name, source in sorted(files.items()):
            for parent in reversed(Path(name).parents[:-1]):
                if parent not in made:
                    made.add(parent)
                    entry = tarfile.TarInfo(str(parent))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with open(source, "rb") as content:
                archive.addfile(entry, content)
    return output.getvalue()


def digest(path: Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write(target: Path, name: str, base: Path | None = None, files: dict[str, Path] | None = None, entrypoint: list[str] | None = None) -> None:
    """`base`: a tar of a root folder, taken as the first layer as it is; `files`: path in the image to executable."""
    work = target.with_suffix(".layer")
    work.write_bytes(layer_of(files or {}))
    layers = [(digest(path), path) for path in ([base] if base else []) + ([work] if files else [])]
    configuration = json.dumps({
        "architecture": "amd64", "os": "linux", "created": EPOCH,
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{value}" for value, _ in layers]},
    }, sort_keys=True).encode()
    configuration_name = hashlib.sha256(configuration).hexdigest() + ".json"
    manifest = [{"Config": configuration_name, "RepoTags": [name], "Layers": [f"{value}/layer.tar" for value, _ in layers]}]
    unfinished = target.with_suffix(".new")
    with tarfile.open(unfinished, "w") as archive:
        for entry_name, data in ((configuration_name, configuration), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(entry_name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for value, path in layers:
            entry = tarfile.TarInfo(f"{value}/layer.tar")
            entry.size = path.stat().st_size
            with open(path, "rb") as content:
                archive.addfile(entry, content)
    work.unlink()
    unfinished.replace(target)
