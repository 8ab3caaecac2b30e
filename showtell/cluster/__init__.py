"""Captions millions of photographs on many machines, with Ray.

Ray reads its settings when it is imported, so they are set here, before that.
"""

import os

if "RAY_ADDRESS" not in os.environ:
    # A Ray "cluster" listens for other machines. A run on one machine does not need that.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
