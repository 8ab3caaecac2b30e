"""Servers save corrections only with the option, and only in its folder."""

from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from showtell.cli import main
from showtell.data import load
from showtell.web import create_app
from tests.web.standins import FakeCaptioner

CORRECTIONS = "/api/v1/corrections"


@pytest.fixture
def keeping(tmp_path: Path) -> FlaskClient:
    """A client of a server that saves corrections to a folder."""
    return create_app(FakeCaptioner(), tmp_path / "album").test_client()


def test_a_correction_is_kept(keeping: FlaskClient, jpeg: bytes, tmp_path: Path) -> None:
    for caption in ("an astronaut", "Eileen smiles"):
        form = {"image": (BytesIO(jpeg), "me.jpg"), "caption": caption}
        answer = keeping.post(CORRECTIONS, data=form)
        assert answer.status_code == 200
    (photograph,) = load(tmp_path / "album").split("train")
    assert answer.json == {"image": photograph.name, "caption": "Eileen smiles"}
    assert photograph.captions == ("Eileen smiles",)


def test_the_photograph_as_the_body(keeping: FlaskClient, jpeg: bytes) -> None:
    answer = keeping.post(CORRECTIONS, data=jpeg, query_string={"caption": "Eileen"})
    assert answer.json["caption"] == "Eileen"


@pytest.mark.parametrize(
    ("data", "query", "status", "code"),
    [
        (None, "caption=...", 422, "invalid_correction"),
        (None, "", 422, "invalid_correction"),
        (None, "caption=Rex&beam=3", 422, "invalid_parameter"),
        (b"dear diary", "caption=Rex", 415, "unsupported_image"),
        (b"", "caption=Rex", 400, "no_image"),
    ],
)
def test_what_is_refused_is_not_kept(
    keeping: FlaskClient,
    jpeg: bytes,
    tmp_path: Path,
    data: bytes | None,
    query: str,
    status: int,
    code: str,
) -> None:
    answer = keeping.post(f"{CORRECTIONS}?{query}", data=jpeg if data is None else data)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (status, code)
    assert (tmp_path / "album" / "corrections.jsonl").read_bytes() == b""


def test_pages_of_others_cannot_write(keeping: FlaskClient, jpeg: bytes, tmp_path: Path) -> None:
    headers = {"Origin": "https://photos.example"}
    answer = keeping.post(f"{CORRECTIONS}?caption=Rex", data=jpeg, headers=headers)
    assert answer.status_code == 403
    assert len(list((tmp_path / "album").iterdir())) == 1


def test_without_the_option_nothing_is_written(
    client: FlaskClient, jpeg: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = client.post(f"{CORRECTIONS}?caption=Rex", data=jpeg)
    assert answer.status_code == 404
    assert answer.get_json(force=True)["code"] == "no_corrections"
    assert list(tmp_path.iterdir()) == []


def test_the_page_offers_it_where_it_is_kept(client: FlaskClient, keeping: FlaskClient) -> None:
    assert '<form id="correction" class="when-told" hidden>' in client.get("/").text
    promise = "this server stores the correction and a small copy"
    assert promise not in " ".join(client.get("/").text.split())
    assert '<form id="correction" class="when-told">' in keeping.get("/").text
    assert promise in " ".join(keeping.get("/").text.split())


def test_a_file_in_the_folders_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    album = str(tmp_path / "notes" / "album")
    done = CliRunner().invoke(main, ["serve", "--corrections", album])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"showtell: {album}: ")
    assert len(done.stderr.splitlines()) == 1
