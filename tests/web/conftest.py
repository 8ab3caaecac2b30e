"""Fixtures of the web application: an application, a client and a photograph."""

from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from showtell.web import create_app
from tests.web.standins import FakeCaptioner


@pytest.fixture
def captioner() -> FakeCaptioner:
    return FakeCaptioner()


@pytest.fixture
def app(captioner: FakeCaptioner) -> Flask:
    return create_app(captioner)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A photograph of an astronaut in front of a flag, 512 x 512 pixels."""
    data = pytest.importorskip("skimage.data", reason="scikit-image brings the photograph")
    file = BytesIO()
    Image.fromarray(data.astronaut()).save(file, "JPEG", quality=90)
    return file.getvalue()
