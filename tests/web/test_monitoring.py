"""The health check and the metrics."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from showtell.web import create_app
from showtell.web.batcher import Batcher
from showtell.web.metrics import Metrics
from tests.web.standins import (
    CAPTIONS,
    FakeCaptioner,
    HeldCaptioner,
    ask,
    asking,
    eventually,
    serving,
)

Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """Return the samples by name and by the values of the labels, sorted by label."""
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return {(s.name, *(v for _, v in sorted(s.labels.items()))): s.value for s in samples}


@pytest.fixture
def failing(app: Flask, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(captioner, "caption", fail)
    return app.test_client()


def test_health_is_a_caption(client: FlaskClient, captioner: FakeCaptioner) -> None:
    response = client.get("/healthz")
    assert (response.status_code, captioner.beams) == (200, [1])
    assert response.get_json() == {"status": "ok", "model": "fake"}


def test_a_model_that_cannot_caption_is_not_healthy(
    failing: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The check succeeded even if the model had stopped working after it was loaded."""
    response = failing.get("/healthz")
    assert response.status_code == 503
    assert response.get_json() == {"status": "failing", "model": "fake"}
    assert "RuntimeError: secret" in caplog.text


def test_the_model_that_ships_is_healthy() -> None:
    response = create_app().test_client().get("/healthz")
    assert response.get_json() == {"status": "ok", "model": "showtell-wider-pairs"}


def test_requests_are_counted_and_timed(client: FlaskClient, jpeg: bytes) -> None:
    client.get("/")
    for _ in range(3):
        client.post(CAPTIONS, data=jpeg)
    response = client.get("/metrics")
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples = read(response.text)
    assert samples["showtell_requests_total", "views.index", "GET", "200"] == 1
    assert samples["showtell_requests_total", "api.create_caption", "POST", "200"] == 3
    assert samples["showtell_request_duration_seconds_count", "api.create_caption"] == 3
    bucket = "showtell_request_duration_seconds_bucket"
    bounds = [key[2] for key in samples if key[:2] == (bucket, "api.create_caption")]
    assert (bounds[0], bounds[-2], bounds[-1]) == ("0.01", "30.0", "+Inf")
    assert samples["process_cpu_seconds_total",] > 0


def test_refusals_and_faults_are_counted(failing: FlaskClient, jpeg: bytes) -> None:
    failing.post(CAPTIONS, data=b"")
    failing.post(CAPTIONS, data=jpeg)
    failing.get("/", base_url="http://photos.example")
    samples = read(failing.get("/metrics").text)
    for code in ("no_image", "internal_server_error", "untrusted_host"):
        assert samples["showtell_problems_total", code] == 1
    assert samples["showtell_requests_total", "api.create_caption", "POST", "500"] == 1
    assert samples["showtell_requests_total", "views.index", "GET", "400"] == 1


def test_what_clients_make_up_is_no_label(app: Flask) -> None:
    """Otherwise each requested path or method would stay in memory forever."""
    with serving(app) as port:
        for i in range(5):
            ask(port, "GET", f"/nothing-{i}")
            ask(port, f"MADEUP{i}", "/nothing")
        text = ask(port, "GET", "/metrics")[2].decode()
    samples = read(text)
    assert samples["showtell_requests_total", "none", "GET", "404"] == 5
    assert samples["showtell_requests_total", "none", "other", "404"] == 5
    assert "nothing" not in text
    assert "MADEUP" not in text


def test_the_queue_is_told(jpeg: bytes) -> None:
    captioner = HeldCaptioner()
    app = create_app(captioner)
    batcher = app.extensions["batcher"] = Batcher(captioner, workers=1)
    app.extensions["metrics"] = Metrics(batcher)
    with serving(app) as port, asking(port, jpeg, [1]), ThreadPoolExecutor(2) as pool:
        try:
            eventually(lambda: batcher.working == 1)
            for _ in range(2):
                pool.submit(ask, port, "POST", CAPTIONS, jpeg)
            eventually(lambda: batcher.depth == 2)
            samples = read(ask(port, "GET", "/metrics")[2].decode())
        finally:
            captioner.let_go.set()
    assert (samples["showtell_queue_depth",], samples["showtell_working",]) == (2, 1)


def test_applications_count_for_themselves(client: FlaskClient) -> None:
    client.get("/")
    other = create_app(FakeCaptioner()).test_client()
    assert "views.index" not in other.get("/metrics").text
