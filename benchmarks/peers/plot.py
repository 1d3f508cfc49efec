"""The picture: `plot.py RESULTS DOCS`, run by the bench environment's Python. Knows the raw data, and not how it was made."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "monkeytown", "font.size": 9, "font.family": "DejaVu Sans"}

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

RATE = 60
OURS, OTHERS, LIMIT = "#2e7d32", "#90a4ae", "#cfd8dc"
LABELS = {
    "bare C": ("bare C", ""),
    "Monkeytown": ("Monkeytown", "monkeytown"),
    "picows": ("picows", "picows"),
    "websockets": ("websockets", "websockets"),
    "ws": ("ws", "ws"),
    "Socket.IO": ("Socket.IO", "socket.io"),
    "python-socketio": ("python-socketio", "python-socketio"),
    "Colyseus float32": ("Colyseus", "@colyseus/core"),
    "Colyseus uint16": ("Colyseus", "@colyseus/core"),
}


def rows(file: Path) -> dict[str, list[dict[str, float]]]:
    """The runs of a CSV by name, in the order in which they were made."""
    found: dict[str, list[dict[str, float]]] = {}
    with file.open() as lines:
        for row in csv.DictReader(lines):
            numbers = {
                key: float(value) for key, value in row.items() if key not in ("figure", "name", "failed")
            }
            found.setdefault(row["name"], []).append(numbers)
    return found


def label(name: str, versions: dict[str, str]) -> str:
    base, _, kind = name.partition(", ")
    shown, package = LABELS[base]
    kind = kind or base.removeprefix(shown).strip()
    version = f" {versions[package]}" if package else ""
    return f"{shown}{version}" + (f"\n{kind}" if kind else "")


def bars(axes: Axes, values: dict[str, float], versions: dict[str, str], title: str, form: str) -> None:
    names = list(values)
    colours = [
        OURS if name == "Monkeytown" else LIMIT if name.startswith("bare C") else OTHERS for name in names
    ]
    # One that is far beyond all others would make the rest unreadable: its bar is cut, and says so.
    *_, second, longest = sorted(values.values())
    cut = 1.3 * second if longest > 2 * second else longest
    drawn = axes.barh(range(len(names)), [min(values[name], cut) for name in names], color=colours)
    marks = ["// " if values[name] > cut else "" for name in names]
    shown = [mark + form.format(values[name]) for mark, name in zip(marks, names, strict=True)]
    axes.bar_label(drawn, labels=shown, padding=3)
    axes.set_yticks(range(len(names)), [label(name, versions) for name in names])
    axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.margins(x=0.15)


def cost(run: dict[str, float]) -> float:
    """Percent of a core for a thousand players at 60 Hz."""
    return 100 * run["cpu"] / (run["players"] * run["states"]) * 1000 * RATE


def per_thousand(runs: list[dict[str, float]]) -> float:
    return median(map(cost, runs))


def beside(runs: list[dict[str, float]], limit: list[dict[str, float]]) -> float:
    """A server's cost as a multiple of the limit's in the same round: the machine may have been faster in another."""
    return median(cost(one) / cost(other) for one, other in zip(runs, limit, strict=True))


def main(results: Path, docs: Path) -> None:
    versions = json.loads((results / "versions.json").read_text())
    fan_out, rooms = rows(results / "fanout.csv"), rows(results / "rooms.csv")
    held = json.loads((results / "held.json").read_text())
    stateful = [name for name in rooms if not name.endswith(", frames")]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7.2), layout="constrained")
    cores = "% of a core for 1,000 players at 60 Hz (less is better)"
    bars(
        axes[0, 0],
        {name: beside(runs, fan_out["bare C"]) for name, runs in fan_out.items()},
        versions,
        "One frame of 100 bytes to 1,000 players at 60 Hz:\nprocessor time beside a bare C loop (less is better)",
        "{:.2f} ×",
    )
    bars(
        axes[0, 1],
        {name: per_thousand(rooms[name]) for name in stateful},
        versions,
        f"Rooms of 50, everybody moves:\n{cores}",
        "{:.0f} %",
    )
    bars(
        axes[1, 0],
        {name: float(most) for name, most in held.items()},
        versions,
        "Players held on one core, in rooms of 50 at 60 Hz\n(more is better)",
        "{:,.0f}",
    )
    bars(
        axes[1, 1],
        {
            name: median(RATE * run["bytes"] / run["states"] / 1000 for run in rooms[name])
            for name in stateful
        },
        versions,
        "The same rooms: kilobytes a second for each player\n(less is better)",
        "{:,.1f} kB",
    )
    figure.supxlabel(
        f"Python {versions['Python']}, Node {versions['Node']}; {versions['machine']}",
        fontsize=8,
        color="#546e7a",
    )
    figure.savefig(docs / "peers.svg", metadata={"Date": None})
    figure.savefig(docs / "peers.png", dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
