"""Captions folders of photographs into a file of rows; survives bad files and interruptions."""

from showtell.batch.rows import Row, caption_rows

__all__ = ["Row", "caption_rows"]
