"""One Chromium for all tests of a run, a fresh page for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from .browser import Browser, Page, find_chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; the tests are skipped where there is none."""
    program = find_chromium()

    if program is None:
        pytest.skip("the page is tested in Chromium, which is not installed (Debian: apt-get install chromium)")

    browser = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page."""
    browser.attach()

    try:
        page = await Page.make(browser)
        yield page
        await page.aclose()
    finally:
        browser.detach()
