"""The HTML of the page, its pictures, the headers, and `app.py`."""

import re
import runpy
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from showtell.search import OPTIONS, Search

ROOT = Path(__file__).parents[2]
WEB = ROOT / "showtell" / "web"


@pytest.fixture
def page(client: FlaskClient) -> str:
    return client.get("/").text


def test_all_that_the_page_names_is_here(client: FlaskClient, page: str) -> None:
    named = set(re.findall(r'(?:src|href|action|data-sample)="([^"]+)"', page))
    ours = {path for path in named if not path.startswith("https://arxiv.org/")}
    assert len(ours) > 5
    for path in ours:
        assert client.get(path).status_code == (405 if path.startswith("/api/") else 200), path


def test_the_scripts_import_what_is_here() -> None:
    scripts = {path.name: path.read_text() for path in (WEB / "static").glob("*.js")}
    imported = {
        name for text in scripts.values() for name in re.findall(r'(?:from|import) "./(.+)"', text)
    }
    assert imported | {"page.js"} == scripts.keys()


def test_the_scripts_ask_for_elements_that_are_there(page: str) -> None:
    """A wrong id would only fail in the browser."""
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    for path in (WEB / "static").glob("*.js"):
        text = path.read_text()
        for names in re.findall(r"\[([^\]]+)\]\s*\.map\(\(id\)", text):
            assert set(re.findall(r'"([^"]+)"', names)) <= ids, path.name
        assert set(re.findall(r'getElementById\("([^"]+)"\)', text)) <= ids, path.name


def test_the_settings_have_the_interfaces_limits(page: str) -> None:
    for name, default in (("beam", Search.beam), ("max_length", Search.max_length)):
        limits = OPTIONS[name].schema
        field = re.search(rf'<input id="{name}"[^>]+>', page)
        assert field
        for said in (
            f'value="{default}"',
            f'min="{limits["minimum"]}"',
            f'max="{limits["maximum"]}"',
        ):
            assert said in field[0]


def test_nothing_is_inline(page: str) -> None:
    """The policy forbids inline code; it would fail silently in the browser."""
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/nowhere", "/api/v1/captions"])
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "require-trusted-types-for 'script'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Permissions-Policy"].startswith("camera=(self), ")
    assert ("no-store" in headers.get("Cache-Control", "")) == path.startswith("/api/")


def test_a_page_that_is_not_there_is_no_json(client: FlaskClient) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.mimetype == "text/html"


def test_app_py_holds_the_application_under_the_name_that_servers_look_for() -> None:
    if not (ROOT / "showtell/models/flickr8k/manifest.json").is_file():
        pytest.skip("the model that ships is not there")
    app = runpy.run_path(str(ROOT / "app.py"))["app"]
    assert app.test_client().get("/healthz").get_json()["status"] == "ok"
