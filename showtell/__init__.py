"""Captions photographs with *Show, Attend and Tell* and shows where the model looked.

>>> import showtell
>>> caption = showtell.load().caption("photo.jpg")
>>> caption.text, caption.attention.shape
"""

from showtell._version import __version__
from showtell.captioner import Caption, Captioner, load
from showtell.errors import ShowtellError

__all__ = ["Caption", "Captioner", "ShowtellError", "__version__", "load"]
