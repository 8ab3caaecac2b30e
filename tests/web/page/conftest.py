"""A real browser at a real server."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.web.standins import serving

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Page


@pytest.fixture
def page(visit: Callable[..., Page], app: Flask) -> Iterator[Page]:
    """The page, opened, before a captioner that always sees the same."""
    with serving(app) as port:
        yield visit(port)
