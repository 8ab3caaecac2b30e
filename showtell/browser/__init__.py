"""The static page: a folder of files that captions photographs in the visitor's browser."""

from showtell.browser.build import build

__all__ = ["build"]
