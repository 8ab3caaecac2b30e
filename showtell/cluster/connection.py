"""Connects to the cluster of ``RAY_ADDRESS``, or starts one on this machine."""

import logging
import os
from secrets import token_hex
from typing import Any

import ray

OWN_CLUSTER: dict[str, Any] = {
    "address": "local",
    "include_dashboard": False,
    "_node_ip_address": "127.0.0.1",
}


def connect() -> int:
    """Connect to the cluster of ``RAY_ADDRESS``, or start one on this machine only.

    Returns
    -------
    The number of cores of the cluster.
    """
    if not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else OWN_CLUSTER
        if own and "RAY_AUTH_TOKEN_PATH" not in os.environ:
            # Otherwise Ray writes a token to the home folder.
            os.environ.setdefault("RAY_AUTH_TOKEN", token_hex(32))
        ray.init(logging_level=logging.ERROR, **own)
    return int(ray.cluster_resources()["CPU"])
