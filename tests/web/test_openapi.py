"""The OpenAPI document is correct: routes, parameters, responses and problems."""

import json
import math
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import openapi_spec_validator
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings, strategies
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

import showtell.web
from showtell import __version__
from showtell.confidence import visual_mean
from showtell.data.corrections import LONGEST
from showtell.limits import MAX_BYTES, MAX_PIXELS
from showtell.search import OPTIONS, Search
from showtell.web import api, create_app
from showtell.web.batcher import Batcher
from showtell.web.docs import document
from showtell.web.problems import IMAGE_PROBLEMS
from tests.web.standins import FakeCaptioner, serving

WEB = Path(showtell.web.__file__).parent
DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
CAPTIONS = "/api/v1/captions"
CORRECTIONS = "/api/v1/corrections"

# Errors of Werkzeug; their code is the name of the status.
OF_WERKZEUG = {"bad_request", "not_found", "method_not_allowed", "internal_server_error"}


def problems() -> dict[str, Any]:
    """Return the example and the status of each code."""
    media = [
        response["content"].get("application/problem+json", {})
        for response in DOCUMENT["components"]["responses"].values()
    ]
    return {code: said["value"] for one in media for code, said in one.get("examples", {}).items()}


def valid(value: Any, schema: dict[str, Any]) -> None:
    """Check a value against a schema, which may refer to the document."""
    jsonschema.validate(value, {**schema, "components": DOCUMENT["components"]})


# The document


def test_it_is_openapi() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_it_is_sent(client: FlaskClient) -> None:
    response = client.get("/openapi.json")
    assert response.mimetype == "application/json"
    assert response.get_json() == DOCUMENT
    assert DOCUMENT["info"]["version"] == __version__


def test_its_paths_are_those_of_the_application(app: Flask) -> None:
    routes = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") or rule.rule in ("/healthz", "/metrics", "/openapi.json")
    }
    paths = DOCUMENT["paths"]
    assert routes == {(path, method.upper()) for path in paths for method in paths[path]}


def test_ranges_and_defaults_are_those_of_the_code() -> None:
    alternative = SCHEMAS["Alternative"]
    assert range(alternative["minimum"], alternative["maximum"] + 1) == api.ALTERNATIVES
    assert alternative["default"] == 0
    assert SCHEMAS["Correction"]["maxLength"] == LONGEST
    text = json.dumps(DOCUMENT)
    assert f"at most {MAX_BYTES // 2**20} MB and {MAX_PIXELS // 10**6} million pixels" in text


def test_the_options_of_a_search_are_those_of_the_code() -> None:
    parameters = {one["name"]: one for one in DOCUMENT["components"]["parameters"].values()}
    for name, option in OPTIONS.items():
        schema = SCHEMAS[parameters[name]["schema"]["$ref"].rpartition("/")[2]]
        assert schema.items() >= option.schema.items()
        assert schema.get("default") == (None if name == "mention" else getattr(Search, name))
        assert parameters[name]["description"] == option.help
    takes = {
        path: {one["$ref"] for one in DOCUMENT["paths"][f"/api/v1/{path}"]["post"]["parameters"]}
        for path in ("captions", "figures", "animations")
    }
    names = {name: f"#/components/parameters/{name}" for name in ("MaxLength", "Mention")}
    assert takes["figures"] == takes["animations"] >= set(names.values())
    undrawn = {f"#/components/parameters/{name}" for name in ("Proof", "Things")}
    assert takes["captions"] >= undrawn
    assert not takes["figures"] & undrawn, "a drawing does not show them"


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path.startswith("/api/")])
def test_a_form_has_the_fields_of_the_query(path: str) -> None:
    operation = DOCUMENT["paths"][path]["post"]
    parameters = [one["$ref"].rpartition("/")[2] for one in operation.get("parameters", ())]
    body = operation["requestBody"]
    if "$ref" in body:
        body = DOCUMENT["components"]["requestBodies"][body["$ref"].rpartition("/")[2]]
    form = SCHEMAS[body["content"]["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]]
    fields = [one["$ref"].rpartition("/")[2] for one in form["properties"].values()]
    assert sorted(fields) == sorted(["Photograph", *parameters])


def test_the_caption_has_the_fields_of_the_document(client: FlaskClient, jpeg: bytes) -> None:
    query = {"alternatives": "true", "region": "0,0,99,99", "proof": "true", "things": "true"}
    body = client.post(CAPTIONS, data=jpeg, query_string=query).get_json()
    valid(body, {"$ref": "#/components/schemas/Caption"})
    sentence, rest = (part for part in SCHEMAS["Caption"]["allOf"])
    sentence = SCHEMAS["Sentence"]["properties"]
    assert set(body) == {*sentence, *rest["properties"]}
    assert [set(other) for other in body["alternatives"]] == [set(sentence)] * 2
    assert [set(thing) for thing in body["things"]] == [set(SCHEMAS["Thing"]["properties"])] * 2


# The examples


@pytest.mark.parametrize("name", ["alternatives", "attention"])
def test_the_example_of_a_caption_holds_together(name: str) -> None:
    content = DOCUMENT["paths"][CAPTIONS]["post"]["responses"]["200"]["content"]
    caption = content["application/json"]["examples"][name]["value"]
    valid(caption, {"$ref": "#/components/schemas/Caption"})
    for told in (caption, *caption.get("alternatives", ())):
        n = len(told["words"])
        assert told["caption"] == " ".join(told["words"])
        confidences = np.array(told["confidences"])
        assert told["confidence"] == pytest.approx(
            visual_mean(told["words"], confidences), abs=1e-6
        )
        assert len(told["probabilities"]) == len(told["gates"]) == len(confidences) == n
    for attention in caption.get("attention", ()):
        assert len(attention) == math.prod(caption["grid"])
        assert sum(attention) == pytest.approx(1, abs=1e-4)


def test_the_codes_are_those_of_the_code() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in WEB.glob("*.py"))
    written = set(re.findall(r'Problem\(\s*\d+,\s*"(\w+)"', sources))
    of_images = {code for _, code in IMAGE_PROBLEMS.values()}
    assert problems().keys() == written | of_images | OF_WERKZEUG


def fail(*args: object, **kwargs: object) -> None:
    raise RuntimeError("secret")


PROVOCATIONS: dict[str, Callable[[FlaskClient, bytes], Any]] = {
    "no_image": lambda client, _: client.post(CAPTIONS),
    "bad_request": lambda client, jpeg: client.post(
        CAPTIONS, data=jpeg, environ_overrides={"waitress.client_disconnected": lambda: True}
    ),
    "untrusted_host": lambda client, _: client.post(CAPTIONS, headers={"Host": "example.org"}),
    "foreign_origin": lambda client, _: client.post(CAPTIONS, headers={"Origin": "null"}),
    "not_found": lambda client, _: client.get("/api/v1/nothing"),
    "method_not_allowed": lambda client, _: client.get(CAPTIONS),
    "too_large": lambda client, _: client.post(CAPTIONS, data=bytes(MAX_BYTES + 1)),
    "unsupported_image": lambda client, _: client.post(CAPTIONS, data=b"A photograph of a dog."),
    "broken_image": lambda client, jpeg: client.post(CAPTIONS, data=jpeg[:5000]),
    "invalid_parameter": lambda client, jpeg: client.post(f"{CAPTIONS}?beam=50", data=jpeg),
    "internal_server_error": lambda client, jpeg: client.post(CAPTIONS, data=jpeg),
    "busy": lambda client, jpeg: client.post(CAPTIONS, data=jpeg),
    "no_corrections": lambda client, jpeg: client.post(f"{CORRECTIONS}?caption=Rex", data=jpeg),
    "invalid_correction": lambda client, jpeg: client.post(CORRECTIONS, data=jpeg),
}


@pytest.mark.parametrize("code", problems())
def test_the_example_of_a_problem_is_what_is_answered(
    code: str,
    app: Flask,
    captioner: FakeCaptioner,
    jpeg: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if code == "invalid_correction":
        app = create_app(captioner, tmp_path)
    if code == "internal_server_error":
        monkeypatch.setattr(captioner, "caption", fail)
    if code == "busy":
        app.extensions["batcher"] = Batcher(FakeCaptioner(), workers=0, waiting=0)
    response = PROVOCATIONS[code](app.test_client(), jpeg)
    told, example = response.get_json(force=True), problems()[code]
    valid(told, {"$ref": "#/components/schemas/Problem"})
    titles = told.pop("title"), example.pop("title")
    assert told == example
    assert all(titles)  # not compared, since they depend on the version of Python
    assert response.status_code == told["status"]


# Requests generated from the document

# Every valid body is a photograph, so it must be accepted.
DRAWN = BytesIO()
Image.linear_gradient("L").save(DRAWN, "JPEG")
for content_type in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(content_type, strategies.just(DRAWN.getvalue()))

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict({"seed": 1}))

# Rules that schemas cannot express: a parameter is in the query or in the form, not in both; the
# number of alternatives; the size of the photograph; texts have at least one word; the vocabulary.
NOT_IN_SCHEMAS = (
    b"is given more than once",
    b"for this photograph",
    b"the region",
    b"the caption must have at least one word",
    b"is not in the model's vocabulary",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(create_app(FakeCaptioner(), tmp_path_factory.mktemp("album"))) as port:
        yield f"http://127.0.0.1:{port}"


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True)
def test_requests_that_follow_the_document_and_requests_that_do_not(
    case: schemathesis.Case, address: str
) -> None:
    """Responses are as documented; valid requests succeed, and invalid ones fail."""
    response = case.call(base_url=address)
    refused = any(text in response.content for text in NOT_IN_SCHEMAS)
    case.validate_response(response, excluded_checks=[positive_data_acceptance] * refused)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    path=strategies.sampled_from([path for path in DOCUMENT["paths"] if "/api/" in path]),
    start=strategies.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"]),
    body=strategies.binary(min_size=1, max_size=64),
)
def test_bytes_that_are_no_photograph(path: str, start: bytes, body: bytes, address: str) -> None:
    case = SCHEMA[path]["POST"].Case(body=start + body, media_type="image/*")
    response = case.call_and_validate(base_url=address)
    assert response.status_code in (413, 415, 422)
