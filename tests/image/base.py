"""What stands in for the base image where there is no registry: a Debian of the same release with a Python of this machine.

Knows debootstrap, and where Pythons are. It is named as the Dockerfile names its base, so that the Dockerfile is executed as
it stands. Needs root, and a C library here that is no newer than that release's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["make", "name"]

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
# The libraries that the modules of the standard library are linked with.
PACKAGES = (
    "ca-certificates",
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8", "libsqlite3-0"),
    *("libssl3", "libuuid1", "zlib1g"),
)
# A network may have a certificate authority of its own, which this machine then knows.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
LEFT_OUT = ("__pycache__", "*.a", "site-packages", "test", "tkinter", "idlelib")


def name() -> str:
    """The one base image of the Dockerfile."""
    (only,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE.read_text(), re.MULTILINE))
    return only


def make(buildah: Callable[..., str], folder: Path) -> None:
    """Make it. Raises RuntimeError if there is no Python of its version here."""
    found = re.fullmatch(r"python:(3\.\d+)-slim-(\w+)", name())
    assert found
    version, release = found.groups()
    prefix = next(_prefixes(version), None)
    if prefix is None:
        raise RuntimeError(
            f"no Python {version} found beside the system's own: name one with MONKEYTOWN_TEST_PYTHON"
        )
    container = buildah("from", "scratch")
    try:
        root = Path(buildah("mount", container))
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", release, root]
        with (folder / "debootstrap").open("w") as log:
            subprocess.run(command, check=True, stdout=log)
        shutil.copytree(
            prefix,
            root / "usr/local",
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(*LEFT_OUT),
        )
        python = root / "usr/local/bin/python"
        python.unlink(missing_ok=True)
        python.symlink_to(f"python{version}")
        subprocess.run(["chroot", root, "ldconfig"], check=True)
        if AUTHORITIES.exists():
            shutil.copy(AUTHORITIES, root / AUTHORITIES.relative_to("/"))
        for variable in ("PIP_CERT", "SSL_CERT_FILE"):
            buildah("config", "--env", f"{variable}={AUTHORITIES}", container)
        buildah("commit", "--format", "docker", container, f"docker.io/library/{name()}")
    finally:
        buildah("rm", container)


def _prefixes(version: str) -> Iterator[Path]:
    """Where the Pythons of a version are that are not the system's, whose files are all over it."""
    program = f"python{version}"
    home = Path.home()
    candidates = [
        os.environ.get("MONKEYTOWN_TEST_PYTHON"),
        shutil.which(program),
        *home.glob(f".pyenv/versions/{version}.*/bin/{program}"),
        *home.glob(f".local/share/uv/python/cpython-{version}.*/bin/{program}"),
    ]
    for candidate in filter(None, candidates):
        ask = [candidate, "-c", "import sys; print(sys.base_prefix)"]
        done = subprocess.run(ask, check=False, capture_output=True, text=True)
        prefix = Path(done.stdout.strip())
        if done.returncode == 0 and prefix != Path("/usr"):
            yield prefix
