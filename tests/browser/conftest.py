"""The static page, built once, and web servers for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from showtell.browser import build, vendor
from showtell.bundle import Bundle
from showtell.errors import PageError

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page


class Quiet(SimpleHTTPRequestHandler):
    """Does not log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving_files(folder: Path) -> Iterator[int]:
    """Serve a folder as ``python -m http.server`` does; yield the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def scripts(visit: Callable[..., Page]) -> Iterator[Page]:
    """A page in the folder of the scripts, to test those that need no model."""
    folder = Path(vendor.__file__).parent / "static"
    with serving_files(folder) as port:
        yield visit(port)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static page with the model that ships."""
    return build_page(tmp_path_factory.mktemp("browser") / "page", Bundle.load())


@pytest.fixture(scope="session")
def built_with_things(with_things: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static page with a small model in half precision that has a classifier."""
    return build_page(tmp_path_factory.mktemp("things") / "page", with_things)


def build_page(folder: Path, bundle: Bundle) -> Path:
    try:
        build(folder, bundle)
    except PageError as error:
        if "npm" not in str(error) or "checksum" in str(error):
            raise
        pytest.skip(str(error))
    return folder


@pytest.fixture
def site(built: Path) -> Iterator[int]:
    """The port of a server of `built`."""
    with serving_files(built) as port:
        yield port


@pytest.fixture
def site_with_things(built_with_things: Path) -> Iterator[int]:
    """The port of a server of `built_with_things`."""
    with serving_files(built_with_things) as port:
        yield port
