"""Which requests are answered, by their host and their origin."""

import json
from http.client import HTTPConnection, HTTPResponse

import pytest
from flask import Flask
from flask.testing import FlaskClient

from showtell.web import create_app
from tests.web.standins import CAPTIONS, FakeCaptioner, serving

REBOUND = "http://photos.example"


def ask(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[HTTPResponse, bytes]:
    """Send a request with exactly these `headers`, with or without a Host."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:5000",
        "showtell.localhost:5000",
        "127.0.0.1:{port}",
        "192.168.1.20",
        "[::1]:{port}",
        "[fe80::1]",
    ],
)
def test_addresses_and_localhost_are_answered(app: Flask, jpeg: bytes, host: str) -> None:
    with serving(app) as port:
        response, _ = ask(port, "POST", CAPTIONS, {"Host": host.format(port=port)}, jpeg)
    assert response.status == 200


@pytest.mark.parametrize(
    "host",
    [
        "photos.example",
        "photos.example:{port}",
        "localhost.photos.example",
        "notlocalhost",
        "127.0.0.1.photos.example",
        "127.0.0.1@photos.example",
        "photos.example/127.0.0.1",
        "127.1",
        "2130706433",
        "[127.0.0.1]",
        "[::1",
        "localhost:port",
        "localhost, photos.example",
        "",
        None,
    ],
)
def test_other_names_are_refused(
    app: Flask, captioner: FakeCaptioner, jpeg: bytes, host: str | None
) -> None:
    """After DNS rebinding, a page of another site could read the response."""
    with serving(app) as port:
        headers = {} if host is None else {"Host": host.format(port=port)}
        response, body = ask(port, "POST", CAPTIONS, headers, jpeg)
    assert response.status == 400
    assert json.loads(body)["code"] == "untrusted_host"
    assert "SHOWTELL_HOSTS=NAME" in json.loads(body)["detail"]
    assert captioner.beams == []


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/healthz", "/metrics", "/nowhere"])
def test_nothing_is_told_under_the_name_of_another(client: FlaskClient, path: str) -> None:
    response = client.get(path, base_url=REBOUND)
    assert response.status_code == 400
    assert response.mimetype == "text/html"
    assert "SHOWTELL_HOSTS" in response.text


def test_names_that_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWTELL_HOSTS", "captions.example.org, .photos.example")
    client = create_app(FakeCaptioner()).test_client()

    def status(host: str) -> int:
        return client.get("/", base_url=f"http://{host}").status_code

    assert status("captions.example.org") == status("Captions.Example.org:8080") == 200
    assert status("photos.example") == status("my.photos.example") == status("localhost") == 200
    assert status("my.captions.example.org") == status("myphotos.example") == 400


@pytest.mark.parametrize(
    "hosts",
    [
        "my_captions",
        "MY_Captions.",
        "other, my_captions",
        "other my_captions",
        "other;my_captions\n",
        "https://my_captions",
        "http://my_captions:5000/captions/,other",
        "my_captions:80",
    ],
)
def test_a_name_is_the_same_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    """Each was refused, although it was set."""
    monkeypatch.setenv("SHOWTELL_HOSTS", hosts)
    with serving(create_app(FakeCaptioner())) as port:
        for host in ("my_captions", "My_Captions.:80", "MY_CAPTIONS:8443"):
            assert ask(port, "GET", "/", {"Host": host})[0].status == 200
        for host in ("my", "captions", "x.my_captions", "my_captions..", "my_captions:80:80"):
            assert ask(port, "GET", "/", {"Host": host})[0].status == 400


def test_a_domain_is_named_with_a_star_or_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWTELL_HOSTS", "*.nas.lan bücher.example")
    client = create_app(FakeCaptioner()).test_client()
    for host in ("a.nas.lan", "nas.lan", "xn--bcher-kva.example"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.get("/", headers={"Host": "nas.lan.evil"}).status_code == 400


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("nas.lan", "http://nas.lan:8080", 200),  # a proxy removed the port
        ("nas.lan:8080", "http://nas.lan:8080", 200),
        ("nas.lan:443", "https://NAS.lan", 200),
        ("nas.lan:8080", "http://nas.lan:9090", 403),
        ("nas.lan", "http://photos.example:8080", 403),
        ("127.0.0.1:{port}", "http://nas.lan:8080", 403),
        ("nas.lan", "file://nas.lan", 403),
    ],
)
def test_the_page_may_send_through_a_proxy_over_http(
    monkeypatch: pytest.MonkeyPatch, jpeg: bytes, host: str, origin: str, status: int
) -> None:
    """Over HTTP, browsers only send the Origin; with a proxy on another port it looked foreign."""
    monkeypatch.setenv("SHOWTELL_HOSTS", "nas.lan")
    with serving(create_app(FakeCaptioner())) as port:
        headers = {"Host": host.format(port=port), "Origin": origin}
        response, body = ask(port, "POST", CAPTIONS, headers, jpeg)
    assert response.status == status
    assert status == 200 or "header Host" in json.loads(body)["detail"]


OWN = ["http://127.0.0.1:{port}", "HTTP://127.0.0.1:{port}"]
FOREIGN = [
    "http://photos.example",
    "http://127.0.0.1",
    "http://127.0.0.1:1{port}",
    "http://localhost:{port}",
    "http://photos.example/127.0.0.1:{port}",
    "http://[",
    "127.0.0.1:{port}",
    "null",
    "",
]


@pytest.mark.parametrize("origin", OWN)
def test_the_own_page_may_send(app: Flask, jpeg: bytes, origin: str) -> None:
    with serving(app) as port:
        headers = {"Host": f"127.0.0.1:{port}", "Origin": origin.format(port=port)}
        response, _ = ask(port, "POST", CAPTIONS, headers, jpeg)
        assert response.status == 200


@pytest.mark.parametrize("origin", FOREIGN)
def test_pages_of_others_may_not(
    app: Flask, captioner: FakeCaptioner, jpeg: bytes, origin: str
) -> None:
    with serving(app) as port:
        headers = {"Host": f"127.0.0.1:{port}", "Origin": origin.format(port=port)}
        response, body = ask(port, "POST", CAPTIONS, headers, jpeg)
        assert response.status == 403
        assert response.headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["code"] == "foreign_origin"
        assert captioner.beams == []
        response, _ = ask(port, "GET", "/", headers)
        assert response.status == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("", 403)]
)
def test_what_the_browser_says_of_the_origin_counts(
    client: FlaskClient, jpeg: bytes, site: str, status: int
) -> None:
    for origin in ({}, {"Origin": "http://localhost"}):
        headers = {"Sec-Fetch-Site": site, **origin}
        assert client.post(CAPTIONS, data=jpeg, headers=headers).status_code == status
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(CAPTIONS, data=jpeg, headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200


def test_the_page_may_send_through_a_proxy_that_changes_the_host(
    client: FlaskClient, jpeg: bytes
) -> None:
    """The browser uses the public name, and the proxy sends 127.0.0.1 as Host."""
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "https://captions.example.org"}
    response = client.post(CAPTIONS, data=jpeg, headers=headers, base_url="http://127.0.0.1:5000")
    assert response.status_code == 200
