"""Files for hosting and for contributors agree with the project."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from showtell import __version__

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def jobs() -> dict[str, dict[str, Any]]:
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS]
    return {name: job for workflow in loaded for name, job in workflow["jobs"].items()}


def test_the_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load(read("CITATION.cff"))["version"] == __version__
    sections = re.findall(r"^## \[(\S+)\](?: - \d{4}-\d\d-\d\d)?$", read("CHANGELOG.md"), re.M)
    assert sections != []
    released = [version for version in sections if version != "Unreleased"]
    assert released[:1] in ([], [__version__])  # none until the first release


def test_every_python_that_is_promised_is_tested() -> None:
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"]]
    promised = [version for version in named if re.fullmatch(r"3\.\d+", version)]
    assert PROJECT["requires-python"] == f">={promised[0]}"
    for job in ("linux", "elsewhere"):
        assert jobs()[job]["strategy"]["matrix"]["python"] == promised


def test_workflows_run_what_is_there() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    files = re.findall(r"\b(?:tests|showtell)/[\w/]+\.\w+", text)
    assert len(files) > 5
    assert [file for file in files if not (ROOT / file).is_file()] == []
    targets = re.findall(r"\bmake (\w+)", text)
    assert [name for name in targets if f"\n{name}:" not in read("Makefile")] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_read_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert text.count("permissions:") == 1
    uses = re.findall(r"uses: (\S+)", text)
    assert uses
    assert [action for action in uses if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []


def test_the_folders_that_contributors_are_sent_to_exist() -> None:
    named = re.findall(
        r"`((?:showtell|tests|benchmarks|\.github|\.devcontainer)[\w./]*)`", read("CONTRIBUTING.md")
    )
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
