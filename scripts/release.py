#!/usr/bin/env python3
"""Makes and publishes a release. Each step reads what the one before it wrote below target/release-files.

release.py dist --version V --programs DIR       archives of the programs, SHA256SUMS
release.py sbom --version V                      what is in them: CycloneDX of the lock files, one for each product
release.py images --registry R --version V       puts the archives of `make images` into a registry; release.json with their digests
release.py charts --registry R --version V       packages the charts and puts them beside
release.py sign                                  keyless: images and charts by digest, the list of components as an attestation, the archives as files
release.py publish --version V                   the release page, with archives, lists and signatures
"""

import argparse
import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

import sbom

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ("sidecar", "dr-cli")
CHARTS = ("mongodb", "orders-api", "tidemark-node", "tenant", "monitoring", "log-collector", "tidemark")
# Whose components are in which image; the others are Debian's packages.
PRODUCT_OF = {"sidecar": "programs", "orders-api": "orders-api", "log-collector": "log-collector"}
VERSION = re.compile(r"\d+\.\d+\.\d+")


class Problem(Exception):
    """What went wrong and what to do."""


def tool(name):
    """A program that the scripts fetch, or the one that its variable names."""
    done = subprocess.run([REPOSITORY / f"scripts/fetch-{name}.sh"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Problem(f"{name} cannot be had: see above")
    return done.stdout.strip().splitlines()[-1]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise Problem(f"{pathlib.Path(str(command[0])).name} {command[1]} failed with exit code {done.returncode}: see above")
    return done.stdout.strip()


def digest_of(path):
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(path)


def dist(output, version, programs):
    output.mkdir(parents=True, exist_ok=True)
    machine = os.uname().machine
    archive = output / f"tidemark-{version}-linux-{machine}.tar.gz"
    # The same programs make the same archive: no names, no times.
    with open(archive, "wb") as raw:
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as files:
            for name in PROGRAMS:
                path = programs / name
                if not path.is_file():
                    raise Problem(f"{path} is not there: run `cargo build --release -p sidecar -p dr-cli` first, or `make dist`")
                entry = files.gettarinfo(path, f"tidemark-{version}/{name}")
                entry.uid = entry.gid = entry.mtime = 0
                entry.uname = entry.gname = ""
                entry.mode = 0o755
                with open(path, "rb") as content:
                    files.addfile(entry, content)
    print(archive)
    write(output / "SHA256SUMS", "".join(f"{digest_of(path)}  {path.name}\n" for path in sorted(output.glob("*.tar.gz"))))


def images(output, registry, version, folder, insecure):
    crane = tool("crane")
    archives = sorted(folder.glob("*.tar"))
    if not archives:
        raise Problem(f"{folder} holds no archive of an image: run `make images` first")
    digests = {}
    for archive in archives:
        # By tag for people; everything after this goes by digest.
        reference = run(crane, "push", archive, f"{registry}/tidemark/{archive.stem}:{version}", *(["--insecure"] if insecure else []))
        digests[archive.stem] = reference.rsplit("@", 1)[1]
        print(reference)
    release = {"release": version, "revision": run("git", "rev-parse", "HEAD", cwd=REPOSITORY), "registry": registry, "images": digests}
    write(output / "release.json", json.dumps(release, indent=2) + "\n")


def charts(output, registry, version, plain_http):
    # Charts name images by their own appVersion, and the umbrella names charts: a version put on at packaging would fit neither.
    for chart in CHARTS:
        text = (REPOSITORY / "charts" / chart / "Chart.yaml").read_text()
        found = set(re.findall(r"^(?:version|appVersion): (\S+)$", text, re.M))
        if found != {version}:
            raise Problem(f"charts/{chart} is of {', '.join(sorted(found))}, and the release of {version}: set version and appVersion in its Chart.yaml first")
    helm, folder = tool("helm"), output / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    run(helm, "dependency", "update", "--skip-refresh", REPOSITORY / "charts/tidemark")
    published = {}
    for chart in CHARTS:
        run(helm, "package", REPOSITORY / "charts" / chart, "--destination", folder)
        # Helm says where it went on stderr.
        done = subprocess.run(
            [helm, "push", folder / f"{chart}-{version}.tgz", f"oci://{registry}/tidemark/charts", *(["--plain-http"] if plain_http else [])],
            capture_output=True, text=True,
        )
        found = re.search(r"Digest: (sha256:[0-9a-f]{64})", done.stdout + done.stderr)
        if done.returncode or not found:
            raise Problem(f"the chart {chart} was not accepted by {registry}: {done.stderr.strip()}")
        published[chart] = found[1]
        print(f"{registry}/tidemark/charts/{chart}@{found[1]}")
    write(output / "charts.json", json.dumps({"registry": registry, "charts": published}, indent=2) + "\n")


def sign(output, dry_run):
    """Keyless: the identity is that of the workflow, from its OIDC token, and the signature is in a public log."""
    commands = []
    for file, kind in (("release.json", "images"), ("charts.json", "charts")):
        path = output / file
        if not path.exists():
            continue
        stored = json.loads(path.read_text())
        for name, digest in stored[kind].items():
            place = f"{stored['registry']}/tidemark/{'charts/' if kind == 'charts' else ''}{name}@{digest}"
            commands.append(["sign", "--yes", place])
            components = output / f"{PRODUCT_OF.get(name)}.cdx.json"
            if kind == "images" and components.exists():
                commands.append(["attest", "--yes", "--type", "cyclonedx", "--predicate", components, place])
    for path in sorted([*output.glob("*.tar.gz"), *output.glob("SHA256SUMS"), *output.glob("*.cdx.json")]):
        commands.append(["sign-blob", "--yes", "--bundle", f"{path}.sigstore.json", path])
    if not commands:
        raise Problem(f"{output} holds nothing to sign: run `make dist`, `make sbom`, `make publish-images` or `make publish-charts` first")
    cosign = "cosign" if dry_run else tool("cosign")
    for command in commands:
        print(" ".join(map(str, ["cosign", *command])))
        if not dry_run:
            run(cosign, *command)


def publish(output, version):
    files = sorted([*output.glob("*.tar.gz"), *output.glob("SHA256SUMS"), *output.glob("*.cdx.json"), *output.glob("*.sigstore.json"), *output.glob("release.json")])
    if not files:
        raise Problem(f"{output} holds nothing to publish: run `make dist` first")
    run("gh", "release", "create", f"v{version}", *files, "--verify-tag", "--title", f"Tidemark {version}", "--generate-notes", cwd=REPOSITORY)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("dist", "sbom", "images", "charts", "sign", "publish"))
    parser.add_argument("--version", default="")
    parser.add_argument("--registry", default="")
    parser.add_argument("--programs", type=pathlib.Path)
    parser.add_argument("--archives", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=REPOSITORY / "target/release-files")
    parser.add_argument("--insecure", action="store_true", help="a registry without TLS; for tests")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be signed")
    given = parser.parse_args(arguments)
    try:
        if given.step != "sign" and not VERSION.fullmatch(given.version):
            raise Problem(f"--version is `{given.version}`: write three numbers, such as 0.2.0")
        if given.step in ("images", "charts") and not given.registry:
            raise Problem("--registry is missing: name the host, such as ACCOUNT.dkr.ecr.REGION.amazonaws.com")
        if given.step == "dist":
            dist(given.output, given.version, given.programs)
        elif given.step == "sbom":
            for product, text in sbom.documents(given.version).items():
                write(given.output / f"{product}.cdx.json", text)
        elif given.step == "images":
            images(given.output, given.registry, given.version, given.archives, given.insecure)
        elif given.step == "charts":
            charts(given.output, given.registry, given.version, given.insecure)
        elif given.step == "sign":
            sign(given.output, given.dry_run)
        else:
            publish(given.output, given.version)
    except Problem as problem:
        print(f"release: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
