"""Many photographs: rows of captions, from folders, that survive bad files and interruptions."""

from showtell.batch.rows import Row, caption_rows

__all__ = ["Row", "caption_rows"]
