"""ARCHITECTURE.md is true: what it names is there, and every package is named."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "ARCHITECTURE.md"
SOURCES = ROOT / "src/monkeytown"
ENTRY = re.compile(r"^( *)([\w./]+)(?:\s{2,}.*)?$")


def paths_of_the_map() -> list[str]:
    """Every path in the map, joined from its indentation."""
    found: list[str] = []
    parents: dict[int, str] = {}
    for line in blocks(PAGE)[0].text.splitlines():
        entry = ENTRY.match(line)
        assert entry, f"the map has a line that is no path: {line!r}"
        depth, name = len(entry[1]), entry[2]
        above = [parents[other] for other in sorted(parents) if other < depth]
        path = (above[-1] if above else "") + name
        parents = {other: value for other, value in parents.items() if other < depth} | {depth: path}
        found.append(path)
    return found


def test_what_the_map_names_is_there():
    paths = paths_of_the_map()
    assert len(paths) > 40
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_folders_are_marked_as_folders():
    assert [path for path in paths_of_the_map() if path.endswith("/") != (ROOT / path).is_dir()] == []


def test_every_package_and_every_top_level_module_is_in_the_map():
    named = set(paths_of_the_map())
    packages = {f"src/monkeytown/{path.parent.name}/" for path in SOURCES.glob("*/__init__.py")}
    modules = {
        f"src/monkeytown/{path.name}" for path in SOURCES.glob("*.py") if not path.name.startswith("__")
    }
    compiled = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("ext/monkeytown/_core/*.pyx")}
    assert packages | modules | compiled <= named


def test_names_in_the_text_are_names_of_the_project():
    text = PAGE.read_text().split("## Where everything is")[0]
    floors = re.findall(r"^\| (?:\d|beside) \| (.+?) \|", text, re.MULTILINE)
    named = {name for floor in floors for name in re.findall(r"`(\w+)`", floor)}
    there = {
        path.stem
        for path in SOURCES.iterdir()
        if not path.name.startswith("__") and path.suffix in ("", ".py")
    }
    assert named == there
