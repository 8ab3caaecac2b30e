"""The documentation page of the HTTP API, and its examples, which must work."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from showtell.web import create_app
from showtell.web.docs import document
from tests.web.standins import FakeCaptioner, serving

ROOT = Path(__file__).parents[2]
DOCUMENT = document()
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
HERE = "http://localhost:5000"

SAMPLES = [sample["source"] for operation in OPERATIONS for sample in operation["x-codeSamples"]]
GUIDE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
GUIDED = re.findall(r"^    (curl [^\n]+)", GUIDE, re.MULTILINE)


@pytest.fixture
def text(client: FlaskClient) -> str:
    response = client.get("/docs", headers={"Host": "localhost:5000"})
    assert response.status_code == 200
    return response.text


# The HTML


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one["operationId"])
def test_every_operation_is_told(operation: dict[str, Any], text: str) -> None:
    start = text.index(f'<section aria-labelledby="{operation["operationId"]}"')
    section = unescape(re.sub("</?code>", "`", text[start : text.index("</section>", start)]))
    told = [operation["summary"], *operation["description"].split("\n\n")]
    told += [sample["source"] for sample in operation["x-codeSamples"]]
    for reference in operation.get("parameters", ()):
        name = reference["$ref"].rpartition("/")[2]
        parameter = DOCUMENT["components"]["parameters"][name]
        told += [parameter["name"], parameter["description"]]
    assert [sentence for sentence in told if sentence not in section] == []
    assert all(f'<th scope="row">{status}</th>' in section for status in operation["responses"])


def test_every_link_leads_somewhere(client: FlaskClient, text: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for target in set(re.findall(r'href="([^"]+)"', text)):
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert client.get(target).status_code == 200


def test_examples_name_the_server_that_shows_them(client: FlaskClient) -> None:
    """The examples only worked on port 5000."""
    page = client.get("/docs", headers={"Host": "127.0.0.1:5001"}).text
    assert "http://127.0.0.1:5001/api/v1/captions" in page
    assert HERE not in page


def test_the_policy_is_kept_and_the_structure_sound(text: str) -> None:
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://(?!localhost:5000/)", text)
    assert not re.search(r"<th(?!\w)(?! scope=)", text)
    assert not re.search(r"<pre(?! tabindex=\"0\")", text)
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


# The examples, and those of the quick start


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(create_app(FakeCaptioner(), tmp_path_factory.mktemp("album"))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("source", dict.fromkeys(SAMPLES + GUIDED))
def test_examples_work(source: str, address: str, jpeg: bytes, tmp_path: Path) -> None:
    """Each is run in a folder with a photograph; curl fails for an error status."""
    is_curl = source.startswith("curl ")
    if is_curl and shutil.which("curl") is None:
        pytest.skip("there is no curl")
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    (tmp_path / ".curlrc").write_text('fail\nsilent\nshow-error\nnoproxy = "*"\n')
    assert HERE in source
    command = ["sh", "-c"] if is_curl else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, source.replace(HERE, address)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    check_result(source, done.stdout, tmp_path)


def check_result(source: str, printed: bytes, folder: Path) -> None:
    """Check the output of an example."""
    if written := re.search(r"--output (\S+)", source):
        start = {".png": b"\x89PNG", ".gif": b"GIF89a", ".jpg": b"\xff\xd8"}[
            Path(written[1]).suffix
        ]
        assert (folder / written[1]).read_bytes().startswith(start)
    elif source.startswith("import "):
        caption, first, *_ = printed.decode().splitlines()
        assert caption == "an astronaut's smile in front of a flag"
        assert first == "an: row 7 of 7, column 1 of 7"
    elif "/metrics" in source:
        assert b"showtell_" in printed
    else:
        key = {
            "captions": "caption",
            "corrections": "caption",
            "healthz": "status",
            "openapi.json": "openapi",
        }
        (name,) = (name for name in key if f"/{name}" in source)
        assert key[name] in json.loads(printed)
