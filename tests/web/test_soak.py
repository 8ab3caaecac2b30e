"""A dozen clients for a few seconds; ``python benchmarks/soak.py`` is the long test."""

import os

import pytest

if os.name != "posix":
    pytest.skip("SIGTERM is POSIX's", allow_module_level=True)

from soak import Report, soak


def test_a_mixed_crowd_gets_answers_and_nothing_breaks() -> None:
    report = soak(clients=12, seconds=4)
    assert report.faults() == []
    assert {200, 400, 413, 415, 422} <= report.answers.keys() <= {200, 400, 413, 415, 422, 503}


def test_faults_are_told() -> None:
    report = Report(memory=[100.0, 300.0], status=1, unanswered=1)
    report.answers.update({500: 2, 0: 1})
    assert len(report.faults()) == 6


def test_waits_and_answers_are_told() -> None:
    report = Report(waits=[0.2, 0.1, 0.3], memory=[100.0, 300.0, 200.0])
    report.answers.update({503: 2, 0: 1})
    tables = report.tables()
    assert tables["answers"][0] == {"status": "broken", "answers": 1}
    assert tables["soak"][0]["median wait, ms"] == 200.0
    assert tables["soak"][0]["at most, MB"] == 300.0
