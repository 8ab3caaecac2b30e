"""No connections to other machines, and no telemetry."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

BLOCKED = """
import socket, sys, threading, time
asked = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            asked.append(address)
    elif event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "0.0.0.0", None):
        asked.append(arguments[:2])
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        asked.append(arguments)

sys.addaudithook(watch)
"""
CAPTION = """
import showtell
print(showtell.load().caption(sys.argv[1]).text)
"""
COMMANDS = """
from click.testing import CliRunner
from showtell.cli import main
for arguments in (["--help"], ["info"], ["caption", sys.argv[1], "--attention", sys.argv[2]]):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
print("commands")
"""
SERVE = """
from http.client import HTTPConnection
import showtell
from showtell.web import create_app
from showtell.web.server import make_server
server = make_server(create_app(showtell.load()), "127.0.0.1", 0)
threading.Thread(target=server.run, daemon=True).start()
for method, path in (("GET", "/"), ("GET", "/docs"), ("GET", "/metrics"), ("GET", "/healthz"),
                     ("POST", "/api/v1/captions"), ("POST", "/api/v1/figures")):
    connection = HTTPConnection("127.0.0.1", server.effective_port, timeout=60)
    connection.request(method, path, open(sys.argv[1], "rb").read() if method == "POST" else None)
    assert connection.getresponse().status == 200, path
print("served")
"""


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def run(code: str, *arguments: object) -> str:
    code = BLOCKED + code + "\nsys.stdout.write(repr(asked))"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", [CAPTION, COMMANDS, SERVE])
def test_nothing_is_asked_of_other_machines(code: str, photograph: Path, tmp_path: Path) -> None:
    """Captioning and serving use no other machine, and start no programs."""
    told = run(code, photograph, tmp_path / "out")
    assert told.endswith("\n[]")
    assert len(told) > 5


def test_a_question_would_be_noticed() -> None:
    code = "try: socket.create_connection(('192.0.2.1', 9), 0.01)\nexcept OSError: print()"
    assert "192.0.2.1" in run(code)


def test_what_asks_the_network_is_known() -> None:
    """The modules that use it: the download of Flickr8k, ``hf://``, and listening sockets."""
    root = Path(__file__).parents[1] / "showtell"
    asking = re.compile(
        r"^\s*(import|from) (urllib\.request|http\.client|huggingface_hub|requests|socket)\b", re.M
    )
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if asking.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"bundle.py", "data/download.py", "web/connections.py", "web/server.py"}


FOLDER = """
from showtell.cli import main
main(["caption", sys.argv[1], "--out", sys.argv[2] + ".jsonl"])
"""
APP = """
import app
photograph = open(sys.argv[1], "rb").read()
assert app.app.test_client().post("/api/v1/captions", data=photograph).status_code == 200
"""


@pytest.mark.skipif(sys.platform == "win32", reason="homes are elsewhere there")
@pytest.mark.parametrize("code", [CAPTION, COMMANDS, FOLDER, SERVE, APP])
def test_nothing_is_written_into_the_home(
    code: str, photograph: Path, tmp_path: Path, stranger: dict[str, str]
) -> None:
    """ONNX Runtime stored an id of the machine and telemetry there."""
    command = [sys.executable, "-c", f"import sys, threading\n{code}", photograph, tmp_path / "out"]
    done = subprocess.run(command, env=stranger, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_person_s_own_setting_stays(stranger: dict[str, str]) -> None:
    code = "import os, showtell; print(os.environ['RAY_USAGE_STATS_ENABLED'])"
    env = {**stranger, "RAY_USAGE_STATS_ENABLED": "1"}
    assert subprocess.check_output([sys.executable, "-c", code], env=env).split() == [b"1"]


SECONDS = 20  # ONNX Runtime resolved a host about nine seconds after its start
CONNECTED = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*(AF_INET6?\b.*)")


def addresses(trace: Path) -> list[str]:
    """Return the addresses that a traced process connected to, including local DNS."""
    found = (CONNECTED.search(line) for line in trace.read_text(errors="replace").splitlines())
    asked = [match[1] for match in found if match]
    return [a for a in asked if "htons(53)" in a or not ("127.0.0.1" in a or '"::1"' in a)]


def traced(code: str, trace: Path, *arguments: object, env: dict[str, str] | None = None) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    calls = "connect,sendto,sendmsg,sendmmsg"
    command = [
        strace,
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        f"trace={calls}",
        "-o",
        trace,
        sys.executable,
        "-c",
        code,
    ]
    done = subprocess.run([*command, *map(str, arguments)], env=env, capture_output=True, text=True)
    if "ptrace" in done.stderr and "ermitted" in done.stderr:
        pytest.skip("no right to trace system calls")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "call",
    ["socket.create_connection(('192.0.2.1', 9), 0.1)", "socket.getaddrinfo('example.invalid', 9)"],
)
def test_a_question_is_found_in_the_system_calls(call: str, tmp_path: Path) -> None:
    traced(f"import socket\ntry: {call}\nexcept OSError: pass", tmp_path / "trace")
    assert addresses(tmp_path / "trace")


def test_a_server_that_works_asks_nobody(
    photograph: Path, tmp_path: Path, stranger: dict[str, str]
) -> None:
    """Python's audit hooks do not see sockets of C code, so system calls are traced."""
    code = f"import sys, threading, time\n{SERVE}\ntime.sleep({SECONDS})"
    traced(code, tmp_path / "trace", photograph, env=stranger)
    assert addresses(tmp_path / "trace") == []
    assert "AF_INET" in (tmp_path / "trace").read_text(), "the test's own requests are not there"


@pytest.mark.skipif(sys.platform == "win32", reason="homes are elsewhere there")
def test_without_a_home_and_in_a_folder_that_is_read_only(photograph: Path, tmp_path: Path) -> None:
    """Neither is needed: nothing is cached, and only requested outputs are written."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from showtell.cli import main; main()", "caption", photograph]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if ": warning: " not in line]
    assert (done.returncode, errors) == (0, [])
    assert len(done.stdout.split()) > 3
    assert list(folder.iterdir()) == []
