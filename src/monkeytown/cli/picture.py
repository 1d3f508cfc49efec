"""Recordings as moving pictures: rows with a place as dots, from the schema alone, as the page does that draws any game.

Knows replays and Pillow, which need not be installed. Knows no game.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import cos, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monkeytown.client.replay import Replay
from monkeytown.errors import StartError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["draw"]

COLOURS = ("#2f9e63", "#e5a812", "#3f83d8", "#d4527a", "#8a63d2", "#1f9ea3")
GROUND, LINE, INK, EDGE = "#f7faf1", "#e0e7d4", "#2c3a31", "#ffffff"
STEPS = 8  # of a smooth edge
NUMBERS = ("fixed", "uint", "sint")
WIDE = 16  # bits; whole numbers wider than this hardly use their range
RATE = 20  # pictures a second: what browsers play as it is said
MOST = 3000
FINER = 2  # drawn so much larger and then reduced, which smooths edges
MARGIN = 8
CROWD = 300
LABELLED = 40
TALLEST = 2.4  # times as high as wide, or the reverse, at most


class Layer(NamedTuple):
    """What is drawn of one table."""

    table: str
    colour: str
    angle: str | None
    label: str | None


class Space(NamedTuple):
    """Where x and y may be; None where the schema leaves that open."""

    across: tuple[float, float] | None
    down: tuple[float, float] | None


class Frame(NamedTuple):
    """How places become pixels of the larger picture."""

    width: int
    height: int
    scale: float
    left: float
    top: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale


def draw(recording: Replay, out: Path, *, start: float, end: float, speed: float, size: int) -> None:
    """Writes a GIF of what happened from `start` to `end`. Raises StartError for what cannot be drawn."""
    try:
        from PIL import Image
    except ImportError as error:
        raise StartError("--gif needs Pillow: pip install pillow") from error
    space, layers = _layers(recording.header.schema["tables"])
    moments = _moments(start, end, speed / RATE)
    frame = _frame(space if None not in space else _seen(recording, layers, moments), size)
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette([layer.colour for layer in layers]))
    pictures = (
        picture.quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in _pictures(recording, layers, frame, moments)
    )
    next(pictures).save(out, "GIF", save_all=True, append_images=pictures, duration=1000 // RATE, loop=0)


def _palette(colours: list[str]) -> list[int]:
    """All that is drawn, and what lies between it and the ground where an edge is smooth."""
    found: list[int] = []
    for back, front in product((GROUND, EDGE), (INK, LINE, *dict.fromkeys(colours))):
        for step in range(STEPS):
            part = step / (STEPS - 1)
            found += [round(a + (b - a) * part) for a, b in zip(_rgb(back), _rgb(front), strict=True)]
    return found


def _rgb(colour: str) -> bytes:
    return bytes.fromhex(colour[1:])


def _moments(start: float, end: float, step: float) -> list[float]:
    count = int(max(end - start, 0.0) / step + 1e-6) + 1
    if count > MOST:
        raise StartError(f"{count:,} pictures are too many: say --from and --to, or a higher --speed")
    return [start + step * number for number in range(count)]


def _layers(tables: list[dict[str, Any]]) -> tuple[Space, list[Layer]]:
    """The space that most tables share, and these; the one that says most lies on top."""
    spaces: dict[Space, list[Layer]] = {}
    placed = 0
    for table in tables:
        fields = [field for field in table["fields"] if not field["count"] and not field["ownerOnly"]]
        numbers = {field["name"]: field for field in fields if field["type"] in NUMBERS}
        if "x" in numbers and "y" in numbers:
            layer = Layer(
                table["name"], COLOURS[placed % len(COLOURS)], _first(fields, "angle"), _first(fields, "text")
            )
            spaces.setdefault(Space(_range(numbers["x"]), _range(numbers["y"])), []).append(layer)
            placed += 1
    if not spaces:
        raise StartError("there is nothing to draw: no table has an x and a y")
    space, layers = max(spaces.items(), key=lambda found: len(found[1]))
    return space, sorted(layers, key=lambda layer: (layer.angle is not None) + (layer.label is not None))


def _first(fields: list[dict[str, Any]], kind: str) -> str | None:
    return next((field["name"] for field in fields if field["type"] == kind), None)


def _range(field: dict[str, Any]) -> tuple[float, float] | None:
    if field["type"] == "fixed":
        return field["lo"], field["hi"]
    bits = field["bits"]
    if bits > WIDE:
        return None
    return (0, 1 << bits) if field["type"] == "uint" else (-(1 << bits - 1), 1 << bits - 1)


def _seen(recording: Replay, layers: list[Layer], moments: list[float]) -> Space:
    """Where anything ever is, at these moments."""
    xs, ys = [0.0, 1.0], [0.0, 1.0]
    for seconds in moments:
        recording.seek(seconds)
        for layer in layers:
            for row in _rows(recording, layer):
                xs = [min(xs[0], row.x), max(xs[1], row.x)]
                ys = [min(ys[0], row.y), max(ys[1], row.y)]
    return Space((xs[0], xs[1]), (ys[0], ys[1]))


def _rows(recording: Replay, layer: Layer) -> list[Any]:
    return list(recording.tables[layer.table])


def _frame(space: Space, size: int) -> Frame:
    assert space.across is not None
    assert space.down is not None
    (left, right), (top, bottom) = space.across, space.down
    across, down = (right - left) or 1.0, (bottom - top) or 1.0
    shape = min(TALLEST, max(1 / TALLEST, down / across))
    width, height = (size, round(size * shape)) if shape <= 1 else (round(size / shape), size)
    margin = MARGIN * FINER
    scale = min((width * FINER - 2 * margin) / across, (height * FINER - 2 * margin) / down)
    return Frame(
        width,
        height,
        scale,
        (width * FINER - across * scale) / 2 - left * scale,
        (height * FINER - down * scale) / 2 - top * scale,
    )


def _pictures(recording: Replay, layers: list[Layer], frame: Frame, moments: list[float]) -> Iterator[Image]:
    from PIL import Image, ImageDraw, ImageFont

    font, small = ImageFont.load_default(13 * FINER), ImageFont.load_default(10 * FINER)
    for seconds in moments:
        recording.seek(seconds)
        picture = Image.new("RGB", (frame.width * FINER, frame.height * FINER), GROUND)
        canvas = ImageDraw.Draw(picture)
        canvas.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=LINE, width=FINER)
        for layer in layers:
            _draw_layer(canvas, recording, layer, frame, small)
        minutes, rest = divmod(int(seconds), 60)
        canvas.text((8 * FINER, 6 * FINER), f"{minutes}:{rest:02d}", fill=INK, font=font)
        yield picture.resize((frame.width, frame.height), Image.Resampling.BOX)


def _draw_layer(canvas: ImageDraw, recording: Replay, layer: Layer, frame: Frame, font: Any) -> None:
    rows = _rows(recording, layer)
    radius = FINER * (2.0 if len(rows) > CROWD else 3.0 if len(rows) > CROWD // 3 else 4.5)
    for row in rows:
        x, y = frame.at(row.x, row.y)
        if layer.angle is not None:
            turned = getattr(row, layer.angle) % (2 * pi)
            nose = x + cos(turned) * radius * 2, y + sin(turned) * radius * 2
            canvas.line((x, y, *nose), fill=layer.colour, width=2 * FINER)
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=layer.colour, outline=EDGE)
        if layer.label is not None and len(rows) <= LABELLED:
            canvas.text((x, y - radius - 2), getattr(row, layer.label), fill=INK, font=font, anchor="ms")
