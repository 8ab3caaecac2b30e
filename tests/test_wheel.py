"""The wheel: its contents, reproducible builds, and running it without a checkout."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.request import urlopen
from zipfile import ZipFile

import pytest
from PIL import Image
from skimage import data

pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")

ROOT = Path(__file__).parents[1]
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")


def build(project: Path, out: Path) -> Path:
    """Build the wheel of a folder, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def test_it_holds_the_package_and_its_licence(wheel: Path) -> None:
    """Tests in a checkout would not notice a file that the wheel lacks."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "showtell").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for needed in ("py.typed", "web/static/page.js", "models/flickr8k/encoder.onnx"):
        assert f"showtell/{needed}" in package
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    assert names - info == package
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert {name.partition("/")[2] for name in info} == about


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 20e6


def test_the_same_files_give_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Also in another folder, at another time, and with other permissions."""
    project = tmp_path / "elsewhere"
    project.mkdir()
    for name in BUILT_FROM:
        shutil.copyfile(ROOT / name, project / name)
    ignore = shutil.ignore_patterns("__pycache__")
    package = shutil.copytree(
        ROOT / "showtell", project / "showtell", ignore=ignore, copy_function=shutil.copyfile
    )
    (package / "__init__.py").chmod(0o600)
    assert build(project, tmp_path).read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with the wheel and the libraries of this environment."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    libraries = [path for path in sys.path if "site-packages" in path]
    # Python does not read .pth files in folders that are themselves added by one, so the checkout,
    # which is installed there, is not found.
    Path(where.strip(), "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    return python


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.jpg"
    Image.fromarray(data.astronaut()).save(path)
    return path


def plain() -> dict[str, str]:
    """Return the environment variables without the one that could lead to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(program: Path, *arguments: object) -> str:
    """Run a program of the environment in its own folder, and return its output."""
    command = [str(word) for word in (program, *arguments)]
    options = {"cwd": program.parent, "env": plain(), "capture_output": True, "text": True}
    done = subprocess.run(command, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_installed_is_the_wheel(python: Path) -> None:
    at = run(python, "-c", "import showtell; print(showtell.__file__)")
    assert Path(at.strip()).is_relative_to(python.parents[1])


def test_it_captions(python: Path, photograph: Path) -> None:
    path, caption = run(python.with_name("showtell"), "caption", photograph).strip().split("\t")
    assert path == str(photograph)
    assert len(caption.split()) > 3


def test_it_serves(python: Path, photograph: Path) -> None:
    with serving(python) as address:
        page = urlopen(address, timeout=60).read().decode()
        files = re.findall(r"/static/[^\"]+", page)
        assert "/static/page.js" in files
        for file in files:
            assert urlopen(address + file, timeout=60).read()
        answer = urlopen(f"{address}/api/v1/captions", photograph.read_bytes(), timeout=60).read()
        assert len(json.loads(answer)["words"]) > 3


@contextmanager
def serving(python: Path) -> Iterator[str]:
    """Run ``showtell serve``, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python.with_name("showtell"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with Popen(command, cwd=python.parent, env=plain(), stdout=PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith(f"showtell is running at http://127.0.0.1:{port} ")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
