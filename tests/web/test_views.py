"""The page as it is sent, the sign of life, the headers, and `app.py`."""

import re
import runpy
from pathlib import Path

import pytest
from flask.testing import FlaskClient

ROOT = Path(__file__).parents[2]


def test_healthz(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok", "model": "fake"}


def test_all_that_the_page_needs_is_ours_and_small(client: FlaskClient) -> None:
    page = client.get("/").text
    needed = {*re.findall(r'(?:src|href)="([^"]+)"', page), "/static/figure.js"}
    needed |= {"/static/attention.js"}
    assert len(needed) == 5
    parts = [client.get(path) for path in needed]
    assert {part.status_code for part in parts} == {200}
    assert len(page) + sum(len(part.data) for part in parts) < 60_000
    assert not any(re.search(rb"https?://(?!www\.w3\.org/)", part.data) for part in parts)


def test_nothing_is_inline(client: FlaskClient) -> None:
    """The policy forbids it: it would fail silently, in the browser alone."""
    page = client.get("/").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/nowhere", "/api/v1/captions"])
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_page_that_is_not_there_is_no_json(client: FlaskClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.mimetype == "text/html"


def test_app_py_holds_the_application_under_the_name_that_servers_look_for() -> None:
    if not (ROOT / "showtell/models/flickr8k/manifest.json").is_file():
        pytest.skip("the model that ships is not there")
    app = runpy.run_path(str(ROOT / "app.py"))["app"]
    assert app.test_client().get("/healthz").get_json()["status"] == "ok"
