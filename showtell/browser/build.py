"""Builds the static page: the server's page, with a web worker in place of the server.

index.html, *.js, *.css    the files of ``showtell.web``, with another api.js and added scripts
samples/                   the sample photographs
model/                     the bundle
constants.json             values that the scripts need from Python: calibration, things, words
ort/                       ONNX Runtime for browsers
"""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from showtell import mention, things, web
from showtell.atomic import replacing_folder
from showtell.browser import vendor
from showtell.bundle import MANIFEST, REQUIRED, Bundle
from showtell.captioner import Captioner
from showtell.confidence import LOW_CONFIDENCE, OUT_OF_DISTRIBUTION
from showtell.errors import PageError
from showtell.function_words import FUNCTION_WORDS
from showtell.search import MAX_MENTIONS, OPTIONS
from showtell.web.views import PAGE

_OURS = Path(__file__).parent
_WEB = Path(web.__file__).parent
CONSTANTS = "constants.json"
# Files that worker.js downloads before it can caption.
_LOADED = (
    f"ort/{vendor.WASM}",
    CONSTANTS,
    *(f"model/{name}" for name in (MANIFEST, *REQUIRED)),
)


def build(target: Path, bundle: Bundle) -> int:
    """Write the static page of a model atomically.

    Parameters
    ----------
    target : folder to write; an existing page is replaced.
    bundle : the model.

    Returns
    -------
    The size of the page in bytes.

    Raises
    ------
    PageError : ONNX Runtime cannot be downloaded, or `target` contains other files or cannot be
        written.
    """
    if target.exists() and not (target / "model" / MANIFEST).is_file():
        raise PageError(f"{target}: already contains other files; choose a new folder")
    files = _static()
    files |= {f"ort/{name}": content for name, content in vendor.fetch().items()}
    model = [MANIFEST, *bundle.manifest["sha256"]]
    files |= {f"model/{name}": (bundle.path / name).read_bytes() for name in model}
    files[CONSTANTS] = json.dumps(_constants(Captioner(bundle))).encode()
    files["index.html"] = _page(bundle, files).encode()
    try:
        with replacing_folder(target) as folder:
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
    except OSError as error:
        raise PageError(f"{target}: cannot be written: {error.strerror}") from error
    return sum(map(len, files.values()))


def _constants(captioner: Captioner) -> dict[str, Any]:
    """Return the values that the scripts need from Python, so that both use the same."""
    model, names = captioner.confidence_model, captioner.things
    components = {"familiar": model.components.astype(float).tolist()} if model else {}
    return {
        "doubt": {**model.entry(), **components} if model else None,
        "things": json.loads(names.content()) if names else None,
        "function_words": sorted(FUNCTION_WORDS),
        "warnings": {"unusual": OUT_OF_DISTRIBUTION, "unsure": LOW_CONFIDENCE},
        "certain": mention.CERTAIN,
        "mentions": {"most": MAX_MENTIONS, "refusal": f"{OPTIONS['mention'].error('mention')}."},
        "least": things.LEAST,
        "most": things.MOST,
    }


def _static() -> dict[str, bytes]:
    """Return the static files of the server's page, with the files of this package added.

    A file of this package replaces one of the same name.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in (_WEB / "static", _OURS / "static")
        for path in folder.rglob("*")
        if path.is_file() and path.name != "docs.css"
    }


def _page(bundle: Bundle, files: dict[str, bytes]) -> str:
    """Render the template of the static page."""
    folders = [_OURS / "templates", _WEB / "templates"]
    environment = Environment(loader=FileSystemLoader(folders), autoescape=True)
    return environment.get_template("page.html").render(
        in_browser=True,
        url_for=_address,
        bytes=sum(len(files[name]) for name in _LOADED),
        model=bundle.manifest["name"],
        **PAGE,
    )


def _address(endpoint: str, filename: str = "") -> str:
    """Return the address, relative to the page, of one of the server's endpoints."""
    return {"static": filename, "views.index": "./"}[endpoint]
