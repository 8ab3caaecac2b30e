"""The requirements of the deployed application, locked and hashed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", LOCK, re.MULTILINE)
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_lock_satisfies_what_is_required_and_what_that_requires() -> None:
    asked = {canonicalize_name(r.name): r for r in requirements("requirements.txt")}
    assert asked.keys() <= LOCKED.keys()
    for name, version in LOCKED.items():
        assert name not in asked or version in asked[name].specifier
        for needed in needs(name):
            assert LOCKED.get(canonicalize_name(needed.name), "") in needed.specifier


def needs(name: str) -> list[Requirement]:
    """Return the requirements of an installed package on Linux, as in the container."""
    try:
        found = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    linux = {"extra": "", "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    return [r for r in found if r.marker is None or r.marker.evaluate(linux)]


def test_the_application_needs_what_the_package_does() -> None:
    needed = [Requirement(line) for line in PROJECT["dependencies"]]
    assert sorted(map(str, requirements("requirements.txt"))) == sorted(map(str, needed))


def test_every_requirement_has_a_floor_and_allows_the_version_that_is_tested() -> None:
    """`make lowest` tests the floors; a requirement without one would allow any version."""
    tested = {
        canonicalize_name(r.name): str(r.specifier)[2:] for r in requirements("constraints.txt")
    }
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    asked = [Requirement(line) for lines in lists for line in lines if "showtell[" not in line]
    without = [r.name for r in asked if ">=" not in str(r.specifier)]
    assert [name for name in without if not name.startswith("types-")] == []
    for needed in asked:
        version = tested.get(canonicalize_name(needed.name))
        assert version is None or version in needed.specifier, needed


def test_the_lock_holds_the_versions_that_are_tested() -> None:
    tested = {canonicalize_name(r.name): str(r.specifier) for r in requirements("constraints.txt")}
    assert {name: f"=={LOCKED[name]}" for name in LOCKED.keys() & tested.keys()} == {
        name: tested[name] for name in LOCKED.keys() & tested.keys()
    }


def test_every_package_is_locked_by_hashes_and_by_no_address() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.partition("\n")[2])
    locked = [entry for entry in entries if not entry.startswith("#")]
    assert len(locked) == len(LOCKED) > 10
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in locked)
    assert "://" not in LOCK
    assert "-index" not in LOCK.partition("blinker")[2]
