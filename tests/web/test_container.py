"""The container's files refer to existing files and commands."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from showtell.cli import main
from tests.web.standins import FakeCaptioner, serving

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)", DOCKERFILE, re.MULTILINE)


def health_command() -> list[str]:
    (check,) = instructions("HEALTHCHECK")
    return json.loads(check.partition(" CMD ")[2])


def check_health(port: int) -> int:
    program, flag, code = health_command()
    assert (program, flag) == ("python", "-c")
    code = code.replace(":5000/", f":{port}/")
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode


def test_what_is_copied_is_there_and_is_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    sources = [name for copy in instructions("COPY") for name in shlex.split(copy)[:-1]]
    assert sources
    for name in sources:
        assert (ROOT / name).exists()
        assert f"!{name}" in lines


def test_what_the_build_reads_is_copied() -> None:
    """The build needs the files named in pyproject.toml and in pip's arguments."""
    copied = {name for copy in instructions("COPY") for name in shlex.split(copy)[:-1]}
    (install,) = instructions("RUN")
    assert {"pyproject.toml", "README.md", "LICENSE", "showtell"} <= copied
    words = shlex.split(install)
    assert words[words.index("-r") + 1] in copied
    assert "--require-hashes" in words
    assert "--no-deps" in words


def test_it_runs_as_nobody_in_particular() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_it_starts_a_command_that_showtell_has() -> None:
    (command,) = (json.loads(line) for line in instructions("CMD"))
    program, name, *arguments = command
    assert program == "showtell"
    options = main.commands[name].make_context(name, arguments).params
    assert options["host"] == "0.0.0.0"
    assert instructions("EXPOSE") == [str(options["port"])]


def test_the_health_check_runs(
    app: Flask, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f":{instructions('EXPOSE')[0]}/" in health_command()[2]
    with serving(app) as port:
        assert check_health(port) == 0
        monkeypatch.setattr(captioner, "caption", None)
        assert check_health(port) != 0
    assert check_health(port) != 0


def test_the_composition_grants_nothing_that_is_not_needed() -> None:
    composition = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = composition["services"].values()
    (port,) = instructions("EXPOSE")
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "volumes", "network_mode", "user"} & set(service)
