"""Settings that ``gunicorn app:app`` reads here; its command line goes before them.

Put a proxy that reads requests whole before it: a slow upload holds a thread here.
"""

import os

bind = "127.0.0.1:5000"
# Every worker loads the model, counts its own metrics, and has a queue of its own.
workers = 1
worker_class = "gthread"
# The THREADS of showtell.web.turns, which cannot be imported here: ONNX Runtime does not survive
# the fork of a process that has loaded it. For the same reason there is no --preload.
threads = 4 * (os.cpu_count() or 1) + 72
timeout = 60  # seconds without a sign of life after which the worker is started anew
graceful_timeout = 30  # seconds that requests may still take after SIGTERM
keepalive = 30  # seconds
control_socket_disable = True
