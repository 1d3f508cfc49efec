"""Who builds the image and runs it as an operator would: Docker or Podman where they work, or else Buildah.

    engine = find()
    engine.build()
    with engine.start(MONKEYTOWN_SECRET="…") as container:
        container.url

Knows the commands of engines; what stands in for the base image without a registry is a matter of `tests.image.base`.
`python -m tests.image.engine --install` installs Buildah's Debian packages as root; elsewhere it says what to do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.image import base
from tests.packages import install_if_missing
from tests.postgres import free_port

__all__ = ["HOW_TO_INSTALL", "ROOT", "Container", "Engine", "find"]

HOW_TO_INSTALL = (
    "no engine for images found: start Docker or Podman with a way to Docker Hub; or, as root on Debian, "
    "apt-get install -y --no-install-recommends buildah debootstrap"
)
ROOT = Path(__file__).parents[2]
TAG = "localhost/monkeytown:trial"
STOP_SECONDS = 10
"""How long a stop may take."""

# In namespaces of its own, and PID 1 there, as in a container: nothing is writable but /tmp and the volume, there are no
# devices but those that every engine gives, and no capability can be had again.
ENTER = """
root=$1 volume=$2 owner=$3; shift 3
mount --bind "$root" "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$volume" "$root/data"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for name in null zero random urandom; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec="$owner" "$root" "$@"
"""


class Container(Protocol):
    """A server that runs from the image, with a read-only root."""

    url: str

    def user(self) -> int:
        """The id of the user whose process it is."""

    def execute(self, *command: str) -> bool:
        """Run a command in it, as its user; whether it went well."""

    def wait(self) -> int:
        """Until it ends by itself, `STOP_SECONDS` at most; the exit code."""

    def stop(self) -> int:
        """SIGTERM, and SIGKILL after `STOP_SECONDS`; the exit code."""

    def logs(self) -> str:
        """What it has printed."""


class Engine(Protocol):
    def build(self) -> None:
        """Execute the project's Dockerfile. Raises CalledProcessError."""

    def sizes(self) -> tuple[int, int]:
        """Bytes of the image, and of the base image that is within."""

    def config(self) -> dict[str, Any]:
        """What the image says of itself."""

    @contextmanager
    def start(self, **environment: str) -> Iterator[Container]:
        """Run it with these variables for as long as the block lasts."""


def find() -> Engine | None:
    """An engine that works here, or None."""
    for name in ("docker", "podman"):
        if shutil.which(name) and _works([name, "pull", "--quiet", base.name()]):
            return Docker(name)
    if os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap"):
        return Buildah(ROOT / "build/image")
    return None


class Docker:
    """Docker, or Podman, which takes the same commands."""

    def __init__(self, program: str) -> None:
        self._program = program

    def build(self) -> None:
        subprocess.run([self._program, "build", "--tag", TAG, ROOT], check=True)

    def sizes(self) -> tuple[int, int]:
        whole, within = (
            int(self._ask("image", "inspect", "--format", "{{.Size}}", name)) for name in (TAG, base.name())
        )
        return whole, within

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask("image", "inspect", "--format", "{{json .Config}}", TAG))
        return found

    @contextmanager
    def start(self, **environment: str) -> Iterator[Container]:
        variables = [part for pair in environment.items() for part in ("--env", "=".join(pair))]
        limits = [
            "--read-only",
            "--tmpfs",
            "/tmp",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ]
        name = self._ask("run", "--detach", "--publish", "127.0.0.1::8000", *limits, *variables, TAG)
        try:
            yield _InDocker(self._ask, name)
        finally:
            self._ask("rm", "--force", "--volumes", name)

    def _ask(self, *arguments: str, seconds: float | None = None) -> str:
        command = [self._program, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
        return (done.stdout + done.stderr if arguments[0] == "logs" else done.stdout).strip()


class _InDocker:
    def __init__(self, ask: Callable[..., str], name: str) -> None:
        self._ask = ask
        self._name = name

    @property
    def url(self) -> str:
        return f"http://{self._ask('port', self._name, '8000').splitlines()[0]}"

    def user(self) -> int:
        return int(self._ask("exec", self._name, "id", "-u"))

    def execute(self, *command: str) -> bool:
        try:
            self._ask("exec", self._name, *command)
        except subprocess.CalledProcessError:
            return False
        return True

    def stop(self) -> int:
        self._ask("stop", "--time", str(STOP_SECONDS), self._name)
        return self.wait()

    def wait(self) -> int:
        return int(self._ask("wait", self._name, seconds=STOP_SECONDS))

    def logs(self) -> str:
        return self._ask("logs", self._name)


class Buildah:
    """Buildah, which needs no daemon, with a base image that is made here; runs the image in namespaces of the kernel.

    All that it keeps is in `folder`. Needs root.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if base.name() not in self._ask("images", "--format", "{{.Name}}:{{.Tag}}").replace(
            "docker.io/library/", ""
        ):
            base.make(self._ask, self._folder)
        options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--network", "host"]
        self._tell("bud", *options, "--tag", TAG, str(ROOT))

    def sizes(self) -> tuple[int, int]:
        listed = json.loads(self._ask("images", "--json"))
        by_name = {name: image["size"] for image in listed for name in image["names"] or ()}
        return _bytes(by_name[TAG]), _bytes(by_name[f"docker.io/library/{base.name()}"])

    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask("inspect", "--type", "image", TAG))["Docker"]["config"]
        return found

    @contextmanager
    def start(self, **environment: str) -> Iterator[Container]:
        name = self._ask("from", "--pull-never", TAG)
        try:
            root = Path(self._ask("mount", name))
            yield from self._run(root, environment)
        finally:
            self._ask("rm", name)

    def _run(self, root: Path, environment: dict[str, str]) -> Iterator[Container]:
        config, port = self.config(), free_port()
        variables = [*config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        inside = ["env", "-i", f"--chdir={config['WorkingDir']}", *variables, f"MONKEYTOWN_PORT={port}"]
        owner = _owner(root, config["User"])
        volume = self._folder / "volume"
        shutil.rmtree(volume, ignore_errors=True)
        # As an engine does with a new volume: it is the image's folder, with its owner.
        subprocess.run(["cp", "-a", root / "data", volume], check=True)
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", ENTER, "enter"]
        with (self._folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*alone, root, volume, owner, *inside, *config["Entrypoint"], *config["Cmd"]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        enter = ["chroot", f"--userspec={owner}", str(root), *inside]
        try:
            yield _InNamespaces(process, f"http://127.0.0.1:{port}", enter, self._folder / "log")
        finally:
            process.kill()
            process.wait()

    def _ask(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._program(), *arguments], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def _tell(self, *arguments: str) -> None:
        subprocess.run([*self._program(), *arguments], check=True)

    def _program(self) -> list[str]:
        folders = ["--root", str(self._folder / "storage"), "--runroot", str(self._folder / "run")]
        return ["buildah", *folders, "--storage-driver", "vfs"]


class _InNamespaces:
    def __init__(self, process: subprocess.Popen[bytes], url: str, enter: list[str], log: Path) -> None:
        self._process = process
        self._enter = enter
        self._log = log
        self.url = url

    def user(self) -> int:
        return Path(f"/proc/{self._server()}").stat().st_uid

    def execute(self, *command: str) -> bool:
        return _works([*self._enter, *command])

    def stop(self) -> int:
        os.kill(self._server(), signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait() or 137

    def logs(self) -> str:
        return self._log.read_text()

    def _server(self) -> int:
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def _owner(root: Path, user: str) -> str:
    """The ids of the user of an image, `uid:gid`, which the image names or numbers."""
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if user.partition(":")[0] in (name, uid):
            return f"{uid}:{gid}"
    raise ValueError(f"the image has no user {user}")


def _bytes(text: str) -> int:
    """Of `1.5 MB`."""
    number, unit = re.fullmatch(r"([\d.]+) ?([KMG]?)B", text).groups()  # type: ignore[union-attr]
    return int(float(number) * 1000 ** " KMG".index(unit or " "))


def _works(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    for package in ("buildah", "debootstrap"):
        install_if_missing(package, lambda package=package: find() or shutil.which(package), HOW_TO_INSTALL)
