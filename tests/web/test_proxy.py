"""Behind a real nginx, on another port and with a path prefix."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from showtell.web import create_app
from tests.web.standins import FakeCaptioner, eventually, serving

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_max_body_size 40m; client_body_buffer_size 40m;
  proxy_max_temp_file_size 0;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""
HOST = "proxy_set_header Host $http_host;"
PLAIN = "location / {{ proxy_pass http://127.0.0.1:{back}; {header} }}"
STRIPPED = (
    "location /captions/ {{ proxy_pass http://127.0.0.1:{back}/; {header} "
    "proxy_set_header X-Forwarded-Prefix /captions; }}"
)
WHOLE = "location /captions/ {{ proxy_pass http://127.0.0.1:{back}; {header} }}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def nginx(folder: Path, location: str, back: int, header: str = HOST) -> Iterator[int]:
    """Start nginx as a proxy of the server on port `back`."""
    if NGINX is None:
        pytest.skip("there is no nginx: apt-get install nginx-light")
    port = free_port()
    locations = location.format(back=back, header=header)
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, locations=locations))
    with subprocess.Popen([NGINX, "-p", folder, "-c", file, "-e", folder / "error.log"]) as process:
        try:
            eventually(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield port
        finally:
            process.terminate()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(
        method, path, body, {name.replace("_", "-"): v for name, v in headers.items()}
    )
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def require_works(port: int, jpeg: bytes, prefix: str = "", host: str = "nas.lan") -> None:
    """Load the page with its files, and send the requests that it would send."""
    address = f"{host}:{port}"
    status, page = ask(port, "GET", f"{prefix}/", Host=address)
    assert status == 200
    links = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page.decode())
    assert links
    for link in links:
        assert link.startswith(f"{prefix}/static/")
        assert ask(port, "GET", link, Host=address)[0] == 200
    captions = f"{prefix}/api/v1/captions"
    assert ask(port, "POST", captions, jpeg, Host=address, Origin=f"http://{address}")[0] == 200
    for origin in ("http://photos.example", f"http://photos.example:{port}", "null"):
        assert ask(port, "POST", captions, jpeg, Host=address, Origin=origin)[0] == 403
    assert ask(port, "GET", f"{prefix}/", Host="photos.example")[0] == 400


HEADERS = [HOST, "proxy_set_header Host $host;"]  # the second removes the port


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize(("location", "prefix"), [(PLAIN, ""), (STRIPPED, "/captions")])
def test_plain_and_below_a_path(
    tmp_path: Path,
    jpeg: bytes,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    prefix: str,
    header: str,
) -> None:
    monkeypatch.setenv("SHOWTELL_HOSTS", "nas.lan")
    app = create_app(FakeCaptioner())
    with serving(app) as back, nginx(tmp_path, location, back, header) as port:
        require_works(port, jpeg, prefix)


def test_a_proxy_that_hides_the_host_is_told_what_to_pass(tmp_path: Path, jpeg: bytes) -> None:
    app = create_app(FakeCaptioner())
    with serving(app) as back, nginx(tmp_path, PLAIN, back, header="") as port:
        origin = f"http://nas.lan:{port}"
        status, told = ask(port, "POST", "/api/v1/captions", jpeg, Origin=origin)
        assert (status, b"proxy_set_header Host $http_host" in told) == (403, True)


SERVE = """
from tests.web.standins import FakeCaptioner
from showtell.web import create_app, serve
serve(create_app(FakeCaptioner()), "127.0.0.1", {port})
"""


def test_showtell_serve_below_a_path_of_its_own(tmp_path: Path, jpeg: bytes) -> None:
    """As with gunicorn, SCRIPT_NAME in the environment is the prefix; the proxy keeps the path."""
    back = free_port()
    environment = {**os.environ, "SCRIPT_NAME": "/captions", "SHOWTELL_HOSTS": "nas.lan"}
    command = [sys.executable, "-c", SERVE.format(port=back)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, env=environment) as process:
        try:
            eventually(lambda: socket.socket().connect_ex(("127.0.0.1", back)) == 0)
            with nginx(tmp_path, WHOLE, back) as port:
                require_works(port, jpeg, "/captions")
        finally:
            process.terminate()


@pytest.mark.parametrize("prefix", ["//evil.example", "/a//b", "javascript:", "/a b", "captions"])
def test_a_path_that_is_none_is_not_believed(prefix: str) -> None:
    client = create_app(FakeCaptioner()).test_client()
    page = client.get("/", headers={"X-Forwarded-Prefix": prefix}).text
    assert 'src="/static/' in page
