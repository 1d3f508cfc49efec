"""The two C programs of benchmarks/load, compiled where they are needed: the load, and the bare server that is the limit."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["OUT", "compile_bare", "compile_load"]

HERE = Path(__file__).parent
OUT = HERE / "out"
SOURCES = HERE / "load"


def _compile(name: str, *sources: str) -> Path:
    OUT.mkdir(exist_ok=True)
    program = OUT / name
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", program]
    subprocess.run([*command, *(SOURCES / source for source in sources)], check=True)
    return program


def compile_load() -> Path:
    return _compile("load", "load.c", "options.c", "websocket.c", "protocols.c", "statistics.c")


def compile_bare() -> Path:
    return _compile("bare", "bare.c")
