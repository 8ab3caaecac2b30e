"""POST /api/v1/captions: what it takes, what it answers, and how it refuses."""

import http.client
import tempfile
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from standins import WORDS, FakeCaptioner, serving
from werkzeug.test import TestResponse

CAPTIONS = "/api/v1/captions"


def problem(response: TestResponse) -> tuple[int, str]:
    """Check the form of a problem and return its status and code."""
    assert response.content_type == "application/problem+json"
    body = response.get_json(force=True)
    assert set(body) == {"type", "title", "status", "detail", "code"}
    assert body["status"] == response.status_code
    assert body["detail"]
    return response.status_code, body["code"]


def form(data: bytes, **fields: str) -> dict[str, object]:
    return {"image": (BytesIO(data), "../photo.jpg"), **fields}


@pytest.fixture
def large(jpeg: bytes) -> bytes:
    """A photograph beyond the 500 kB from which Werkzeug and waitress would use the disk."""
    file = BytesIO()
    Image.open(BytesIO(jpeg)).save(file, "BMP")
    return file.getvalue()


def test_a_form_is_answered_with_the_caption_and_its_maps(client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(CAPTIONS, data=form(jpeg))
    assert response.status_code == 200
    body = response.get_json()
    assert body["image"] is None
    assert body["caption"] == "an astronaut's smile in front of a flag"
    assert body["words"] == list(WORDS)
    assert body["grid"] == [7, 7]
    assert [len(row) for row in body["attention"]] == [49] * len(WORDS)
    assert len(body["probabilities"]) == len(body["gates"]) == len(WORDS)
    assert body["model"] == "fake"


@pytest.mark.parametrize(
    "content_type",
    ["image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", None],
)
def test_the_body_itself_may_be_the_photograph(
    client: FlaskClient, jpeg: bytes, content_type: str | None
) -> None:
    """``curl --data-binary @photo.jpg`` calls the body a URL-encoded form."""
    response = client.post(CAPTIONS, data=jpeg, content_type=content_type)
    assert response.get_json()["words"] == list(WORDS)


def test_beam_is_5_or_what_the_query_or_the_form_says(
    client: FlaskClient, captioner: FakeCaptioner, jpeg: bytes
) -> None:
    client.post(CAPTIONS, data=form(jpeg))
    client.post(CAPTIONS, data=jpeg, query_string={"beam": "1"})
    client.post(CAPTIONS, data=form(jpeg), query_string={"beam": "7"})
    client.post(CAPTIONS, data=form(jpeg, beam="20"))
    assert captioner.beams == [5, 1, 7, 20]


@pytest.mark.parametrize("beam", ["0", "21", "-1", "2.5", "1_0", "", "five", "9" * 5000])
def test_another_beam_is_refused(client: FlaskClient, jpeg: bytes, beam: str) -> None:
    response = client.post(CAPTIONS, data=form(jpeg, beam=beam))
    assert problem(response) == (422, "invalid_parameter")


def test_no_photograph(client: FlaskClient, jpeg: bytes) -> None:
    another_field = {"file": (BytesIO(jpeg), "photo.jpg")}
    for data in (None, {}, form(b""), another_field, {"image": "photo.jpg"}):
        response = client.post(CAPTIONS, data=data, content_type="multipart/form-data")
        assert problem(response) == (400, "no_image")
    assert problem(client.post(CAPTIONS)) == (400, "no_image")


def test_files_that_cannot_be_captioned(client: FlaskClient, jpeg: bytes) -> None:
    def refusal(data: bytes) -> tuple[int, str]:
        return problem(client.post(CAPTIONS, data=data))

    assert refusal(b"A photograph of a dog.") == (415, "unsupported_image")
    assert refusal(jpeg[: len(jpeg) // 2]) == (422, "broken_image")
    assert refusal(b"P6 100000 100000 255\n") == (413, "too_large")


def test_an_upload_over_the_limit(app: Flask, jpeg: bytes) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 2**14
    client = app.test_client()
    for data in (jpeg, form(jpeg)):
        assert problem(client.post(CAPTIONS, data=data)) == (413, "too_large")


def test_what_is_not_there_is_a_problem_too(client: FlaskClient) -> None:
    assert problem(client.get("/api/v1/nothing")) == (404, "not_found")
    response = client.get(CAPTIONS)
    assert problem(response) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_a_fault_of_ours_tells_nothing_of_the_inside(
    app: Flask, captioner: FakeCaptioner, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(captioner, "caption", fail)
    response = app.test_client().post(CAPTIONS, data=jpeg)
    assert problem(response) == (500, "internal_server_error")
    assert "secret" not in response.text


def test_uploads_stay_in_memory(app: Flask, large: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Werkzeug wrote the files of forms to the disk from 500 kB on, waitress every such body."""
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    bodies = {
        "image/bmp": large,
        "multipart/form-data; boundary=x": part + large + b"\r\n--x--\r\n",
    }
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with serving(app) as port:
        for content_type, body in bodies.items():
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("POST", CAPTIONS, body, {"Content-Type": content_type})
            assert connection.getresponse().status == 200
            connection.close()
