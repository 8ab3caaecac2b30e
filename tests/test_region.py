"""Regions: parsing and cropping."""

import numpy as np
import pytest
from PIL import Image

from showtell.errors import RegionError
from showtell.region import Region, crop, parse


def test_a_region_as_people_type_it() -> None:
    assert parse("120,40,300,260") == (120, 40, 300, 260)


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,-4", "1.5,2,3,4", "1, 2,3,4", "٥,2,3,4", "1,2,3,",
     pytest.param("9" * 5000 + ",1,1,1", id="long")],
)  # fmt: skip
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="left,top,right,bottom"):
        parse(text)


def test_a_part_of_a_photograph() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    photograph = Image.fromarray(pixels)
    assert crop(photograph, None) is photograph
    assert (np.asarray(crop(photograph, (0, 0, 6, 4))) == pixels).all()
    assert (np.asarray(crop(photograph, (2, 1, 5, 3))) == pixels[1:3, 2:5]).all()


@pytest.mark.parametrize("region", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 31, 5), (0, 0, 5, 21)])
def test_a_region_outside_says_how_large_the_photograph_is(region: Region) -> None:
    with pytest.raises(RegionError, match="not inside the photograph, which is 30 x 20 pixels"):
        crop(Image.new("RGB", (30, 20)), region)


@pytest.mark.parametrize("region", [(5, 0, 5, 5), (5, 0, 4, 5), (0, 5, 5, 5), (40, 30, 35, 25)])
def test_an_empty_region_is_refused(region: Region) -> None:
    with pytest.raises(RegionError, match="is empty"):
        crop(Image.new("RGB", (30, 20)), region)
