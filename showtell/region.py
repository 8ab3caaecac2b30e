"""Regions: rectangles of a photograph to caption."""

from typing import TYPE_CHECKING

from showtell.errors import RegionError

if TYPE_CHECKING:
    from PIL import Image

# Left, top, right and bottom in pixels of the upright photograph; right and bottom are exclusive.
Region = tuple[int, int, int, int]


def parse(text: str) -> Region:
    """Return the region that a text such as ``120,40,300,260`` denotes.

    Raises
    ------
    ValueError : the text is not of this form.
    """
    numbers = text.split(",")
    if len(numbers) != 4 or not all(n.isascii() and n.isdecimal() and len(n) < 10 for n in numbers):
        raise ValueError(f"a region is left,top,right,bottom in whole pixels, not {text[:50]!r}")
    left, top, right, bottom = map(int, numbers)
    return left, top, right, bottom


def crop(photograph: "Image.Image", region: Region | None) -> "Image.Image":
    """Return a region of a photograph; the whole photograph for None.

    Raises
    ------
    RegionError : the region is empty, or not inside the photograph.
    """
    if region is None:
        return photograph
    left, top, right, bottom = region
    width, height = photograph.size
    text = ",".join(map(str, region))
    if left >= right or top >= bottom:
        raise RegionError(
            f"the region {text} is empty: left must be less than right, top less than bottom"
        )
    if left < 0 or top < 0 or right > width or bottom > height:
        raise RegionError(
            f"the region {text} is not inside the photograph, which is {width} x {height} pixels"
        )
    return photograph.crop(region)
