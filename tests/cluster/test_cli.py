"""Errors of the command line before a cluster is started."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from showtell.cli import main


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a", "--engine", "ray"], "require --out"),
        (["a", "b", "--engine", "ray", "--out", "o"], "one folder or URI"),
        (["a", "--engine", "ray", "--out", "o", "--sidecar", "xmp"], "no --sidecar"),
        (["a", "--column", "jpeg", "--out", "o.csv"], "--column requires --engine"),
        (["s3://a/b", "--out", "o.csv"], "s3://a/b: object stores require --engine ray"),
        (["a", "--out", "s3://a/o.csv"], "s3://a/o.csv: object stores require --engine ray"),
        (["a", "--engine", "spark", "--out", "o"], "'spark' is not 'ray'"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(main, ["caption", *arguments])
    assert result.exit_code == 2
    assert reason in result.stderr


def test_without_ray_it_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = ["caption", str(folder), "--engine", "ray", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "pip install '.[cluster]'" in result.stderr
