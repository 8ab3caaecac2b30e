"""Shared fixtures: the research data if it is present, and a browser."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest_plugins = ["tests.drawn"]
pytest.register_assert_rewrite("tests.train", "tests.web")

# Small networks are faster on one thread. Child processes inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # shows a clock
]

WRONG = {"assert", "error"}  # kinds of console messages of failed scripts


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with ``flickr8k/`` and ``encoders/``, which are not part of the repository."""
    beside = Path(__file__).parents[2] / "shared"
    path = Path(os.environ.get("SHOWTELL_SHARED", beside))
    if not (path / "flickr8k").is_dir():
        pytest.skip(f"no Flickr8k at {path}: set SHOWTELL_SHARED to a folder that has it")
    return path


@pytest.fixture
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of a user with an empty home and no settings; the home must stay empty."""
    home = tmp_path_factory.mktemp("home")
    own = ("ORT_", "RAY_", "HF_", "XDG_", "MPL", "SHOWTELL_", "TORCH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    yield {**kept, "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1])}
    left = [str(path.relative_to(home)) for path in home.rglob("*")]
    assert left == [], "something was written into the home"


@pytest.fixture
def kills() -> int:
    """How often tests kill a process; set SHOWTELL_KILLS=50 for more."""
    return int(os.environ.get("SHOWTELL_KILLS", "1"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]
    try:
        subprocess.run(["mount", *options, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no right to mount a small disk: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    api.expect.set_options(timeout=30_000)  # for busy machines
    with api.sync_playwright() as drivers:
        browser = drivers.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visiting(browser: "Browser") -> Callable[[], AbstractContextManager[Callable[..., "Page"]]]:
    """Return the context manager of :func:`visit`, to test its own checks."""
    return partial(_visiting, browser)


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., "Page"]]:
    """Open the page of a server: ``visit(port, **options of the browser's context)``.

    Fails if a script fails, an assertion in a script is false, a security policy is violated, or a
    request goes to another server.
    """
    with _visiting(browser) as open_page:
        yield open_page


@contextmanager
def _visiting(browser: "Browser") -> Iterator[Callable[..., "Page"]]:
    errors: list[str] = []
    requests: list[str] = []
    origins: list[str] = []

    def open_page(port: int, **options: object) -> "Page":
        options = {"reduced_motion": "reduce", **options}
        context = stack.enter_context(browser.new_context(**options))  # type: ignore[arg-type]
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type in WRONG and errors.append(said.text))
        page.on("request", lambda request: requests.append(request.url))
        origin = f"http://127.0.0.1:{port}/"
        origins.extend((origin, f"blob:{origin}"))
        page.goto(origin)
        return page

    with ExitStack() as stack:
        yield open_page
    assert [error for error in errors if not error.startswith("Failed to load resource")] == []
    assert [url for url in requests if not url.startswith(tuple(origins))] == []
