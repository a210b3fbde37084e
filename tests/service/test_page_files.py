"""The files of the page: what they are, how they are kept, and that they ask nobody else for anything."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pynq_async import BoardFarm, service
from pynq_async.service import Tokens, create_service

from .services import problem, running

FILES = sorted(path for path in (Path(service.__file__).parent / "page").iterdir() if path.is_file())
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


async def test_every_file_is_served_as_what_it_is_without_a_token() -> None:
    async with running() as it:
        for path in FILES:
            answer = await it.nobody.get(f"/page/{path.name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] == TYPES[path.suffix[1:]]
            assert answer.content == path.read_bytes()

        page = await it.nobody.get("/")
        assert page.text.startswith("<!doctype html>")
        assert page.content == (await it.nobody.get("/page/index.html")).content
        assert (await it.nobody.head("/")).headers["etag"] == page.headers["etag"]


async def test_what_a_browser_has_already_is_not_sent_again() -> None:
    async with running() as it:
        first = await it.nobody.get("/page/main.js")
        assert first.headers["cache-control"] == "no-cache"
        again = await it.nobody.get("/page/main.js", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await it.nobody.get("/page/main.js", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_browser_is_told_to_trust_nothing_but_these_files() -> None:
    async with running() as it:
        headers = (await it.nobody.get("/")).headers
        policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
        assert policy.pop("require-trusted-types-for") == "'script'"
        assert set(policy.values()) == {"'none'", "'self'"}
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_the_page_is_also_found_below_another_application() -> None:
    outer = FastAPI()
    outer.mount("/farm", create_service(BoardFarm(["127.0.0.1:1"]), Tokens([])))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://service") as client:
        page = await client.get("/farm/")
        assert page.status_code == 200

        for path in re.findall(r'(?:href|src)="(page/[^"]+)"', page.text):
            assert (await client.get(f"/farm/{path}")).status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2fapp.py", "../app.py", "%2e%2e/app.py", "..%5capp.py", "", "a/b"])
async def test_nothing_else_is_served(name: str) -> None:
    async with running() as it:
        answer = await it.nobody.get(f"/page/{name}")
        assert answer.status_code == 404
        assert "import" not in answer.text
        problem(await it.nobody.get("/page/nothing.js"), 404, "no-such-file")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_names_no_other_host_and_makes_no_markup(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//\w+\.\w+/|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
    assert not re.search(r"<[^>]* (style|on\w+)=", text)
    assert len(text.splitlines()) <= 300
