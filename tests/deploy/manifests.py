"""What the files for operators say, and what the server knows of it.

Knows YAML, the names of settings, the paths of probes and the names of metrics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from monkeytown.cli.settings import fields, variable
from monkeytown.server.health import Health
from tests.docs.pages import ROOT

__all__ = ["DOCKERFILE", "NAMES", "PATHS", "ROOT", "kubernetes", "load", "variables_in"]

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NAMES = {variable(name) for name, _ in fields()}
PATHS = {route.path for route in Health().routes}


def load(path: str) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all((ROOT / path).read_text()))


def kubernetes() -> dict[str, Any]:
    """The objects in `deploy/kubernetes`, by kind; there is one of each."""
    found: dict[str, Any] = {}
    for path in sorted(Path(ROOT / "deploy/kubernetes").glob("*.yaml")):
        for one in load(str(path.relative_to(ROOT))):
            assert one["kind"] not in found, f"{path} has a second {one['kind']}"
            found[one["kind"]] = one
    return found


def variables_in(path: str) -> Iterator[str]:
    """Every variable of the server's that a file names, in comments too."""
    yield from re.findall(r"MONKEYTOWN_[A-Z_]*[A-Z]", (ROOT / path).read_text())
