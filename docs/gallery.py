"""Captions the photographs of the gallery, and writes docs/gallery.md: ``make gallery``.

Run it again when another model ships. The page shows every photograph of docs/gallery with the
model's caption, right or wrong.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from tables import replaced

from showtell.attention import figure
from showtell.bundle import SHIPPED
from showtell.captioner import Caption, load

DOCS = Path(__file__).parent
FOLDER = DOCS / "gallery"
PAGE = DOCS / "gallery.md"
WIDTH, QUALITY = 1000, 60  # pixels of a figure, and its WebP quality

# Alt texts, written by a person.
SHOWS = {
    "astronaut": "The astronaut Eileen Collins in an orange suit, in front of a flag",
    "cat": "The face of a tabby cat",
    "coffee": "A cup of coffee and a spoon on a saucer, on a wooden table",
    "pagoda": "A Chinese tower among trees, above a lake",
    "officer": "Commodore Grace Hopper in uniform",
    "raccoon": "A raccoon among leaves",
    "stairs": "People on an outdoor staircase",
    "camera": "A man who looks through a camera on a tripod, on a lawn",
    "rocket": "A rocket on its launch pad at night",
    "flower": "An orange dahlia",
    "clock": "A wall clock, blurred by motion",
    "coins": "Rows of Greek coins",
}


def main() -> None:
    """Write the figures and the page."""
    captioner = load()
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    captions = {name: captioner.caption(FOLDER / f"{name}.jpg") for name in SHOWS}
    for name, caption in captions.items():
        with Image.open(FOLDER / f"{name}.jpg") as photograph:
            drawn = figure(photograph.convert("RGB"), caption)
        drawn.thumbnail((WIDTH, drawn.height), Image.Resampling.LANCZOS)
        drawn.save(FOLDER / f"{name}.webp", quality=QUALITY, method=6)
    digest = hashlib.sha256((SHIPPED / "manifest.json").read_bytes()).hexdigest()
    made_by = f"Captioned by `{captioner.name}`, `manifest.json` {digest[:12]}.\n"
    body = "\n".join([made_by, *entries(captions)]).rstrip()
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), "captions", body), encoding="utf-8")


def entries(captions: dict[str, Caption]) -> Iterator[str]:
    """Yield the entry of each photograph on the page."""
    for name, caption in captions.items():
        yield f"### {name.capitalize()}\n"
        yield f"![{SHOWS[name]}: the attention of each word](gallery/{name}.webp)\n"
        yield f"- The photograph: {SHOWS[name]}."
        unsure = ", marked `unsure`" if caption.unsure else ""
        yield f"- The caption: *{caption.text}* (confidence {caption.confidence:.2f}{unsure})."
        seen = ", ".join(f"{t.name} {t.probability:.2f}" for t in caption.things[:3])
        yield f"- The classifier: {seen or 'nothing with a probability of 0.05'}.\n"


if __name__ == "__main__":
    main()
