"""The page without a server: a folder of static files that caption in the visitor's browser."""

from showtell.browser.build import build

__all__ = ["build"]
