"""Captions photographs with *Show, Attend and Tell*, with an attention map for each word.

>>> import showtell
>>> caption = showtell.load().caption("photo.jpg")
>>> caption.text, caption.attention.shape
"""

import os

# Turn off the telemetry of these libraries. Each reads its variable when it is imported, and all
# code here that uses them imports this module first. A value that the user has set is kept.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from showtell._version import __version__
from showtell.caption import Caption
from showtell.captioner import Captioner, load
from showtell.errors import ShowtellError

__all__ = ["Caption", "Captioner", "ShowtellError", "__version__", "load"]
