"""The HTTP API: requests, responses and errors."""

import http.client
import tempfile
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from showtell.web.batcher import Batcher
from tests.web.standins import SEEN, WORDS, FakeCaptioner, serving

CAPTIONS = "/api/v1/captions"
FIGURES = "/api/v1/figures"
ANIMATIONS = "/api/v1/animations"
DRAWINGS = [FIGURES, ANIMATIONS]
PREVIEWS = "/api/v1/previews"
SEARCHING = [CAPTIONS, *DRAWINGS]  # with the parameters of the beam search
EVERYTHING = [*SEARCHING, PREVIEWS]


def problem(response: TestResponse) -> tuple[int, str]:
    """Check the format of a problem, and return its status and code."""
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
    """A photograph of more than 500 kB, which Werkzeug and waitress would write to the disk."""
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
    """``curl --data-binary @photo.jpg`` declares the body as a URL-encoded form."""
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


def test_max_length_is_20_or_what_is_asked_for(client: FlaskClient, jpeg: bytes) -> None:
    for query, n in (({}, len(WORDS)), ({"max_length": "3"}, 3), ({"max_length": "40"}, 9)):
        assert len(client.post(CAPTIONS, data=jpeg, query_string=query).get_json()["words"]) == n


def test_maps_are_left_out_on_request(client: FlaskClient, jpeg: bytes) -> None:
    body = client.post(CAPTIONS, data=form(jpeg, attention="false")).get_json()
    assert "attention" not in body
    assert body["grid"] == [7, 7]


def test_alternatives_are_told_on_request(client: FlaskClient, jpeg: bytes) -> None:
    assert "alternatives" not in client.post(CAPTIONS, data=jpeg).get_json()
    query = {"alternatives": "true", "attention": "false", "beam": "3"}
    body = client.post(CAPTIONS, data=jpeg, query_string=query).get_json()
    assert [other["words"] for other in body["alternatives"]] == [list(WORDS[:8]), list(WORDS[:7])]
    assert not any("attention" in other for other in body["alternatives"])


def test_a_part_of_the_photograph(client: FlaskClient, jpeg: bytes) -> None:
    for response in (
        client.post(CAPTIONS, data=jpeg, query_string={"region": "10,20,300,260"}),
        client.post(CAPTIONS, data=form(jpeg, region="10,20,300,260")),
    ):
        body = response.get_json()
        assert (body["region"], body["words"]) == ([10, 20, 300, 260], list(WORDS[5:]))
    assert "region" not in client.post(CAPTIONS, data=jpeg).get_json()


def test_things_are_told_and_mapped_on_request(client: FlaskClient, jpeg: bytes) -> None:
    things = client.post(CAPTIONS, data=jpeg).get_json()["things"]
    assert things == [{"name": name, "probability": p} for name, p in SEEN.items()]
    things = client.post(CAPTIONS, data=form(jpeg, things="true")).get_json()["things"]
    assert [thing["attention"].index(1) for thing in things] == [0, 48]


def test_words_to_mention(client: FlaskClient, jpeg: bytes) -> None:
    """Also for a region, and in a form."""
    query = {"mention": "dog, traffic light", "region": "10,20,300,260"}
    for response in (
        client.post(CAPTIONS, data=jpeg, query_string=query),
        client.post(CAPTIONS, data=form(jpeg, **query)),
    ):
        assert response.get_json()["words"] == [*WORDS[5:], "dog", "light"]


@pytest.mark.parametrize("path", SEARCHING)
@pytest.mark.parametrize(
    ("mention", "reason"),
    [
        ("zebra", "'mention': 'zebra' is not in the model's vocabulary."),
        ("", "1 to 4 words"),
        ("dog,,ball", "1 to 4 words"),
        ("dog,ball,hat,dog,dog", "1 to 4 words"),
        ("dog" * 99, "1 to 4 words"),
    ],
)
def test_words_that_cannot_be_mentioned(
    client: FlaskClient, jpeg: bytes, path: str, mention: str, reason: str
) -> None:
    """An unknown word was answered with status 500."""
    response = client.post(path, data=jpeg, query_string={"mention": mention})
    assert problem(response) == (422, "invalid_parameter")
    assert reason in response.get_json(force=True)["detail"]


@pytest.mark.parametrize("path", SEARCHING)
@pytest.mark.parametrize(
    ("region", "reason"),
    [
        ("10,20,30", "left,top,right,bottom"),
        ("", "left,top,right,bottom"),
        ("10,20,10,30", "is empty"),
        ("10,20,600,30", "not inside the photograph, which is 512 x 512 pixels."),
    ],
)
def test_a_region_that_is_none_is_refused(
    client: FlaskClient, jpeg: bytes, path: str, region: str, reason: str
) -> None:
    response = client.post(path, data=jpeg, query_string={"region": region})
    assert problem(response) == (422, "invalid_parameter")
    assert reason in response.get_json(force=True)["detail"]


def test_a_part_has_its_own_drawing(client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(FIGURES, data=jpeg, query_string={"region": "0,0,100,400"})
    panels = Image.open(BytesIO(response.data)).convert("L").point(lambda v: 255 * (v < 250))
    whole = Image.open(BytesIO(client.post(FIGURES, data=jpeg).data))
    assert panels.getbbox()[2] < whole.width  # four panels, not nine


def test_the_proof_is_told_on_request(client: FlaskClient, jpeg: bytes) -> None:
    body = client.post(CAPTIONS, data=jpeg, query_string={"proof": "true"}).get_json()
    assert body["proof"]["seen"] == [i % 2 == 1 for i in range(len(WORDS))]
    assert len(body["proof"]["attended"]) == len(body["proof"]["random"]) == len(WORDS)
    assert "proof" not in client.post(CAPTIONS, data=jpeg).get_json()


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "41",
        "-1",
        "2.5",
        "1_0",
        "+5",
        " 5",
        "05",
        "٥",
        "",
        "five",
        pytest.param("9" * 5000, id="long"),
    ],
)
@pytest.mark.parametrize("path", SEARCHING)
def test_another_number_is_refused(client: FlaskClient, jpeg: bytes, path: str, text: str) -> None:
    for name in ("beam", "max_length"):
        response = client.post(path, data=form(jpeg, **{name: text}))
        assert problem(response) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    "query", ["attention=1", "attention=True", "alternatives=", "alternatives"]
)
def test_a_switch_is_true_or_false(client: FlaskClient, jpeg: bytes, query: str) -> None:
    assert problem(client.post(f"{CAPTIONS}?{query}", data=jpeg)) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    ("path", "name"),
    [(CAPTIONS, "bean"), (CAPTIONS, "alternative"), (FIGURES, "attention"), (ANIMATIONS, "speed")],
)
def test_a_parameter_that_is_not_there_is_told(
    client: FlaskClient, jpeg: bytes, path: str, name: str
) -> None:
    """Misspelt parameters were ignored, and the default was used."""
    response = client.post(path, data=jpeg, query_string={name: "1"})
    assert problem(response) == (422, "invalid_parameter")
    assert f"'{name}'" in response.get_json(force=True)["detail"]


def test_a_parameter_is_told_once(client: FlaskClient, jpeg: bytes) -> None:
    """Of two values, one was ignored, even if it was invalid."""
    for query in ("beam=2&beam=x", "beam=2"):
        response = client.post(f"{CAPTIONS}?{query}", data=form(jpeg, beam="0"))
        assert problem(response) == (422, "invalid_parameter")


@pytest.mark.parametrize("path", SEARCHING)
def test_wrong_parameters_do_not_enter_the_queue(app: Flask, jpeg: bytes, path: str) -> None:
    """They waited in the queue, and could be answered with 503."""
    app.extensions["batcher"] = Batcher(FakeCaptioner(), workers=0, waiting=0)
    response = app.test_client().post(f"{path}?beam=50", data=jpeg)
    assert problem(response) == (422, "invalid_parameter")


# Figures and animations


@pytest.mark.parametrize(("path", "kind"), [(FIGURES, "PNG"), (ANIMATIONS, "GIF")])
def test_a_drawing_is_a_picture(client: FlaskClient, jpeg: bytes, path: str, kind: str) -> None:
    for data in (jpeg, form(jpeg)):
        response = client.post(path, data=data)
        assert response.mimetype == f"image/{kind.lower()}"
        picture = Image.open(BytesIO(response.data))
        assert picture.format == kind
        assert getattr(picture, "is_animated", False) == (kind == "GIF")


@pytest.mark.parametrize("path", DRAWINGS)
def test_each_alternative_has_its_own_drawing(client: FlaskClient, jpeg: bytes, path: str) -> None:
    def draw(alternative: str) -> TestResponse:
        return client.post(path, data=jpeg, query_string={"alternative": alternative})

    drawings = [draw(alternative).data for alternative in "012"]
    assert len(set(drawings)) == 3
    assert client.post(path, data=jpeg).data == drawings[0]
    for beyond in ("3", "19", "20", "-1", "best"):
        assert problem(draw(beyond)) == (422, "invalid_parameter")


def test_the_best_caption_alone_is_drawn_of_a_greedy_search(
    client: FlaskClient, jpeg: bytes
) -> None:
    response = client.post(FIGURES, data=jpeg, query_string={"beam": "1", "alternative": "1"})
    assert problem(response) == (422, "invalid_parameter")
    assert response.get_json(force=True)["detail"] == (
        "'alternative' must be below 1 for this photograph."
    )


def test_a_preview_is_the_photograph_as_the_model_is_shown_it(
    client: FlaskClient, jpeg: bytes
) -> None:
    file = BytesIO()
    wide = Image.open(BytesIO(jpeg)).resize((3000, 1000)).convert("RGBA")
    wide.putalpha(Image.new("L", (1000, 1000), 255).resize((3000, 1000)))
    wide.paste((0, 0, 0, 0), (0, 0, 1500, 1000))
    wide.save(file, "TIFF")
    response = client.post(PREVIEWS, data=file.getvalue())
    assert response.mimetype == "image/jpeg"
    with Image.open(BytesIO(response.data)) as preview:
        assert preview.size == (1024, 341)
        assert min(preview.getpixel((100, 100))) > 250  # transparent pixels are white


# Errors


@pytest.mark.parametrize("path", EVERYTHING)
def test_two_photographs(client: FlaskClient, jpeg: bytes, path: str) -> None:
    two = [(BytesIO(jpeg), "a.jpg"), (BytesIO(jpeg), "b.jpg")]
    assert problem(client.post(path, data={"image": two})) == (422, "invalid_parameter")


@pytest.mark.parametrize("path", EVERYTHING)
def test_no_photograph(client: FlaskClient, jpeg: bytes, path: str) -> None:
    another_field = {"file": (BytesIO(jpeg), "photo.jpg")}
    text = {"image": "photo.jpg " * 100_000}  # longer than the usual limit for fields of forms
    for data in (None, {}, form(b""), another_field, {"image": "photo.jpg"}, text):
        response = client.post(path, data=data, content_type="multipart/form-data")
        assert problem(response) == (400, "no_image")
    assert problem(client.post(path)) == (400, "no_image")


@pytest.mark.parametrize("path", EVERYTHING)
def test_files_that_cannot_be_captioned(client: FlaskClient, jpeg: bytes, path: str) -> None:
    def refusal(data: bytes) -> tuple[int, str]:
        return problem(client.post(path, data=data))

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
    """Werkzeug wrote files in forms over 500 kB to the disk, and waitress all such bodies."""
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
