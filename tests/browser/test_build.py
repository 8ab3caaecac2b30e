"""The folder of the static page is complete and self-contained, and replaces only a page."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from showtell.browser import build, vendor
from showtell.bundle import SHIPPED, Bundle
from showtell.cli import main
from showtell.errors import PageError


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with empty files in place of ONNX Runtime."""
    monkeypatch.setattr(vendor, "fetch", lambda: dict.fromkeys((vendor.SCRIPT, vendor.WASM), b""))
    build(tmp_path / "page", Bundle.load())
    return tmp_path / "page"


def test_every_address_is_relative_and_leads_to_a_file(page: Path) -> None:
    """The page must work in a subfolder of a web server."""
    html = (page / "index.html").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href|action|data-sample)="([^"]*)"', html)
    inside = [address for address in addresses if not address.startswith("https://arxiv.org/")]
    assert len(inside) > 10
    for address in inside:
        assert not address.startswith(("/", "http")), address
        assert (page / address).exists(), address


def test_every_script_finds_what_it_imports(page: Path) -> None:
    imports = re.compile(r'(?:import|from) "(.*?)"|new Worker\("(.*?)"')
    for script in page.glob("*.js"):
        for names in imports.findall(script.read_text(encoding="utf-8")):
            assert (page / "".join(names)).is_file(), (script.name, names)


def test_our_interface_gives_what_the_scripts_import(page: Path) -> None:
    """The scripts are shared with the server's page; a missing export would break all of them."""
    exports = re.compile(r"^export (?:async )?(?:const|function) (\w+)", re.MULTILINE)
    names = re.compile(r'^import \{ (.*?) \} from "\./(.*?)"', re.MULTILINE)
    found = {"caption"}  # used by scripts that import the whole module
    for script in page.glob("*.js"):
        for imported, other in names.findall(script.read_text(encoding="utf-8")):
            if other == "api.js":
                found |= set(imported.split(", "))
    assert {"caption", "drawing", "sample"} <= found
    assert found <= set(exports.findall((page / "api.js").read_text(encoding="utf-8")))


def test_the_model_is_copied_as_it_is(page: Path) -> None:
    for file in SHIPPED.iterdir():
        assert (page / "model" / file.name).read_bytes() == file.read_bytes()


def test_a_page_is_replaced_and_nothing_else(page: Path, tmp_path: Path) -> None:
    (page / "model" / "stray").touch()
    build(page, Bundle.load())
    assert not (page / "model" / "stray").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(PageError, match="other: already contains other files"):
        build(other, Bundle.load())
    assert (other / "index.html").read_text() == "mine"


def test_a_folder_that_cannot_be_written(page: Path) -> None:
    with pytest.raises(PageError, match=r"index\.html/page: cannot be written: File exists"):
        build(page / "index.html" / "page", Bundle.load())


def test_the_command(page: Path) -> None:
    done = CliRunner().invoke(main, ["page", str(page)])
    assert done.exit_code == 0, done.output
    size = sum(file.stat().st_size for file in page.rglob("*") if file.is_file())
    assert done.output.startswith(f"{page}: {size / 1e6:.1f} MB. ")
