"""Figures: what was measured, against what, and whether it is where it should be.

A figure that is missed is printed as missed; only a wrong result fails a benchmark, because machines differ.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FIGURES", "Figure", "record", "table"]


@dataclass(frozen=True)
class Figure:
    what: str
    value: str
    yardstick: str
    ratio: str
    wanted: str
    held: bool | None


FIGURES: list[Figure] = []


def record(
    what: str,
    value: str,
    *,
    yardstick: str = "",
    ratio: float | None = None,
    wanted: str = "",
    held: bool | None = None,
) -> None:
    """Keeps one figure for the table at the end. `held` is None where nothing particular is wanted."""
    FIGURES.append(Figure(what, value, yardstick, "" if ratio is None else f"{ratio:.3g}×", wanted, held))


def table() -> list[str]:
    """The figures as lines of a Markdown table."""
    lines = [
        "| what | measured | beside, in the same run | ratio | wanted | held |",
        "|---|---|---|---|---|---|",
    ]
    for figure in FIGURES:
        held = {None: "", True: "yes", False: "no"}[figure.held]
        lines.append(
            f"| {figure.what} | {figure.value} | {figure.yardstick} | {figure.ratio} | {figure.wanted} | {held} |"
        )
    return lines
