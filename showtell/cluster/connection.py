"""The cluster: the one that the environment names, or this machine."""

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
    """Join the cluster of ``RAY_ADDRESS``, or start one of this machine alone.

    Returns
    -------
    Its cores.
    """
    if not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else OWN_CLUSTER
        if own and "RAY_AUTH_TOKEN_PATH" not in os.environ:
            # Ray would keep one in the home.
            os.environ.setdefault("RAY_AUTH_TOKEN", token_hex(32))
        ray.init(logging_level=logging.ERROR, **own)
    return int(ray.cluster_resources()["CPU"])
