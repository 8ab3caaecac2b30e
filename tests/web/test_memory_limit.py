"""A server with little memory answers or rejects requests, and does not crash."""

import os
import sys
from io import BytesIO
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from PIL import Image

from tests.web.standins import CAPTIONS, ask

if os.name != "posix":
    pytest.skip("limits of memory are POSIX's", allow_module_level=True)

SERVE = """
import resource
from tests.web.standins import FakeCaptioner
from showtell.web import create_app
from showtell.web.server import make_server
server = make_server(create_app(FakeCaptioner()), "127.0.0.1", 0)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, 2 * (held + 400 * 2**20,))
print(server.effective_port, flush=True)
server.run()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
def test_a_photograph_that_does_not_fit_is_refused_and_the_next_is_answered(jpeg: bytes) -> None:
    large = BytesIO()
    Image.new("RGBA", (7900, 7900)).save(large, "PNG", compress_level=1)
    with Popen(
        [sys.executable, "-c", SERVE], cwd=Path(__file__).parents[2], stdout=PIPE
    ) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            statuses = [ask(port, "POST", CAPTIONS, large.getvalue())[0] for _ in range(3)]
            assert set(statuses) <= {200, 413, 503}
            assert 413 in statuses or 503 in statuses, (
                "there was room enough: the test tests nothing"
            )
            assert ask(port, "POST", CAPTIONS, jpeg)[0] == 200
            assert process.poll() is None
        finally:
            process.terminate()
