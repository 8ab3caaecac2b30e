"""ONNX Runtime is downloaded with npm, and its checksum is verified."""

import sys
from pathlib import Path

import pytest

from showtell.browser import vendor
from showtell.errors import PageError


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for a fake npm, which is the only program on the PATH."""
    if sys.platform == "win32":
        pytest.skip("a script is no program there")
    path = tmp_path / "npm"
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def become(npm: Path, script: str) -> None:
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)


def test_without_npm(npm: Path) -> None:
    with pytest.raises(PageError, match="npm is not installed"):
        vendor.fetch()


def test_without_a_registry(npm: Path) -> None:
    become(npm, "exit 1")
    with pytest.raises(PageError, match=r"npm could not download onnxruntime-web@\d"):
        vendor.fetch()


def test_another_package_than_was_published(npm: Path) -> None:
    become(npm, 'test "$1 $2" = "pack onnxruntime-web@1.30.0" && echo other > package.tgz')
    with pytest.raises(PageError, match="wrong checksum"):
        vendor.fetch()


def test_an_npm_that_never_ends(npm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become(npm, "while :; do :; done")
    monkeypatch.setattr(vendor, "_SECONDS", 0.2)
    with pytest.raises(PageError, match=r"could not download .* within 0\.2 s"):
        vendor.fetch()
