"""Which cluster the tests run on, and what differs."""

import os
from pathlib import Path

from harness import parts

HERE = Path(__file__).resolve().parent

FOREIGN = "TIDEMARK_E2E_FOREIGN"


def is_foreign() -> bool:
    """A cluster that we did not start: there is no way to its pods from this machine."""
    return bool(os.environ.get(FOREIGN))


def image() -> str:
    """An image with sh, busybox and curl for the tests' own pods."""
    return os.environ.get("TIDEMARK_E2E_IMAGE") or ("docker.io/curlimages/curl:8.10.1" if is_foreign() else parts.BASE_IMAGE)


def pull_policy() -> str:
    """Our own node has the images already and no way to a registry."""
    return "IfNotPresent" if is_foreign() else "Never"
