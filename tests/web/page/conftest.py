"""Fixtures with a real browser and a real server."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.web.standins import serving

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page


@pytest.fixture
def page(visit: Callable[..., Page], app: Flask) -> Iterator[Page]:
    """The opened page of a server with a fake captioner."""
    with serving(app) as port:
        yield visit(port)
