"""Captions photographs with *Show, Attend and Tell* and shows where the model looked.

>>> import showtell
>>> caption = showtell.load().caption("photo.jpg")
>>> caption.text, caption.attention.shape
"""

import os

# Makers of these libraries would be told of their use. Each reads its switch when it is imported,
# and whatever uses them here imports this module first. A person's own setting stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from showtell._version import __version__
from showtell.caption import Caption
from showtell.captioner import Captioner, load
from showtell.errors import ShowtellError

__all__ = ["Caption", "Captioner", "ShowtellError", "__version__", "load"]
