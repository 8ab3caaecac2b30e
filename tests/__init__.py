"""Tests. Shared helpers are modules of this package."""
