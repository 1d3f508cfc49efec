"""One Chromium for the tests of a module; each page of it is in a context of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tests import browser as browsers

OUT = Path(__file__).parent.parent / "out"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    OUT.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=browsers.ARGUMENTS)
        yield browser
        await browser.close()
