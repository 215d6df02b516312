"""Lists of components (CycloneDX 1.6) from the lock files. A scanner cannot see what a compiler has linked into a stripped program;
the lock file says it, with the digest of each source.

Reproducible: no time, and the serial number follows from the content.
"""

import base64
import json
import pathlib
import re
import tomllib
import uuid

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE = uuid.UUID("7d0d4f6e-6f0a-5f6e-9d7b-0b8a5a4f3c21")


def rust(programs=("sidecar", "dr-cli")):
    """What the programs need, and what that needs: a superset, since a lock file does not tell dependencies of tests from others."""
    packages = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]
    by_name = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)

    def resolved(dependency):
        name, _, version = dependency.partition(" ")
        version = version.split(" ")[0]
        return next(package for package in by_name[name] if not version or package["version"] == version)

    todo, found = [by_name[name][0] for name in programs], {}
    while todo:
        package = todo.pop()
        key = (package["name"], package["version"])
        if key in found:
            continue
        found[key] = package
        todo += [resolved(dependency) for dependency in package.get("dependencies", [])]
    # Those without a source are the workspace's own.
    for (name, version), package in sorted(found.items()):
        if "source" in package:
            yield component(name, version, f"pkg:cargo/{name}@{version}", package.get("checksum"), "SHA-256")


def node(lock="packages/orders-api/package-lock.json"):
    for path, package in sorted(json.loads((REPOSITORY / lock).read_text())["packages"].items()):
        if not path or package.get("dev") or package.get("link"):
            continue
        name = path.rsplit("node_modules/", 1)[1]
        algorithm, _, digest = package.get("integrity", "").partition("-")
        digest = base64.b64decode(digest).hex() if algorithm == "sha512" else None
        purl = f"pkg:npm/{name.replace('@', '%40', 1)}@{package['version']}"
        yield component(name, package["version"], purl, digest, "SHA-512")


def go(module="dockerfiles/log-collector/go.mod"):
    for name, version in sorted(set(re.findall(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", (REPOSITORY / module).read_text(), re.M))):
        yield component(name, version, f"pkg:golang/{name}@{version}", None, None)


def component(name, version, purl, digest, algorithm):
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        **({"hashes": [{"alg": algorithm, "content": digest}]} if digest else {}),
    }


def document(product, version, components):
    components = list({each["bom-ref"]: each for each in components}.values())
    main = f"pkg:generic/tidemark-{product}@{version}"
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(NAMESPACE, json.dumps([main, components])).urn,
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": main, "name": f"tidemark-{product}", "version": version, "purl": main}},
        "components": components,
    }
    return json.dumps(body, indent=1) + "\n"


def documents(version):
    """Text by product."""
    return {product: document(product, version, listed()) for product, listed in (("programs", rust), ("orders-api", node), ("log-collector", go))}
