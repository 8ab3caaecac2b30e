"""Servers in subprocesses."""

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

ROOT = Path(__file__).parents[2]
SERVE = """
import time
from tests.web.standins import FakeCaptioner
from showtell.web import create_app, serve

class Slow(FakeCaptioner):
    def caption(self, *args, **kwargs):
        time.sleep({seconds})
        return super().caption(*args, **kwargs)

serve(create_app(Slow()), {host!r}, {port})
"""


def hear_ctrl_c() -> None:
    """Restore Ctrl+C in a new process, as shells disable it for background processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(host: str = "localhost", seconds: float = 0) -> Iterator[tuple[Popen, int]]:
    """Serve a captioner that takes `seconds`, in a subprocess that is stopped at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = SERVE.format(host=host, port=port, seconds=seconds)
    command = [sys.executable, "-c", code]
    with Popen(command, cwd=ROOT, stdout=PIPE, text=True, preexec_fn=hear_ctrl_c) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line == f"showtell is running at http://{host}:{port} (press Ctrl+C to stop)\n"
            yield process, port
        finally:
            process.terminate()
