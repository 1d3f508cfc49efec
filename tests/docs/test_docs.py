"""What the pages show works, and what they point at is there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, links
from tests.docs.runner import LANGUAGES, Runner

README = ROOT / "README.md"
WITH_CODE = [
    page for page in PAGES if any(block.language in LANGUAGES - {"text", ""} for block in blocks(page))
]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_blocks_of_a_page_work(page: Path, tmp_path: Path, node_path: str):
    runner = Runner(tmp_path, node_path)
    try:
        for block in blocks(page):
            assert block.language in LANGUAGES, f"{page}:{block.line}: nothing is known of {block.language}"
            try:
                runner.run(block)
            except AssertionError as error:
                raise AssertionError(f"{name_of(page)}:{block.line}: {error}") from error
    finally:
        runner.close()


def test_the_tutorial_shows_nothing_that_is_not_run():
    for page in (ROOT / "docs/tutorial").glob("*.md"):
        assert {block.language for block in blocks(page)} <= {"python", "console"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name_of(page)} points at {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{name_of(page)} points at {target}"


def slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_index_names_every_page():
    index = ROOT / "docs/index.md"
    named = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    assert named == {page for page in PAGES if page.is_relative_to(index.parent)} - {index}


def test_the_readme_opens_with_a_picture_and_a_game_of_fifteen_lines():
    lines = README.read_text().splitlines()
    assert lines[2].startswith("![")
    (game, *_rest) = blocks(README)
    assert game.line < 10
    assert len(game.text.splitlines()) <= 15
    assert "(Game)" in game.text
