"""Millions of photographs on many machines: Ray runs the work, and the Captioner is the same.

Ray reads its settings when it is imported, hence they are made here, before that.
"""

import os

if "RAY_ADDRESS" not in os.environ:
    # What it calls a cluster listens to other machines; one of this machine alone need not.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
