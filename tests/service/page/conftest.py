"""One Chromium for all tests of a run, a fresh page for each."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pynq_async.bitstream import shipped_description, synthetic_bitstream

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
    """An empty page, which must not complain by the end of the test nor have asked more than one host."""
    browser.attach()

    try:
        page = await Page.make(browser)
        yield page
        complaints, hosts = page.complaints, {urlsplit(url).netloc for url in page.requests if url[:4] == "http"}
        await page.aclose()
    finally:
        browser.detach()

    assert not complaints
    assert len(hosts) <= 1, hosts


@pytest.fixture(scope="session")
def design(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A bitstream and its description, as one would pick them."""
    folder = tmp_path_factory.mktemp("design")
    bitstream, description = folder / "resizer.bit", folder / "resizer.hwh"
    bitstream.write_bytes(synthetic_bitstream("7z020clg400", 4_000_000, seed=1))
    description.write_bytes(shipped_description("resizer"))
    return [bitstream, description]
