"""The queue before the Captioner, by itself and in a server."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
from flask import Flask
from standins import CAPTIONS, HeldCaptioner, ask, asking, eventually, serving
from werkzeug.exceptions import ClientDisconnected

from showtell.web import create_app
from showtell.web.problems import Problem
from showtell.web.turns import AT_ONCE, WAITING, Turns


def stays() -> bool:
    return False


# By itself


def test_whoever_came_first_is_first() -> None:
    turns, order, threads = Turns(at_once=1, waiting=8), [], []

    def work(i: int) -> None:
        with turns.take(stays):
            order.append(i)

    with turns.take(stays):
        for i in range(8):
            threads.append(Thread(target=work, args=(i,)))
            threads[-1].start()
            eventually(lambda i=i: turns.depth == i + 1)
    for thread in threads:
        thread.join(30)
    assert order == list(range(8))
    assert turns.depth == turns.working == 0


def test_whoever_leaves_cannot_overtake_by_coming_back_at_once() -> None:
    """A semaphore let newcomers overtake those who waited."""
    turns, order = Turns(at_once=1, waiting=1), []

    def work(name: str) -> None:
        with turns.take(stays):
            order.append(name)

    with turns.take(stays):
        waiting = Thread(target=work, args=("who waited",))
        waiting.start()
        eventually(lambda: turns.depth == 1)
    work("who came back")
    waiting.join(30)
    assert order == ["who waited", "who came back"]


def test_no_more_work_at_once_than_may_and_all_who_may_do() -> None:
    turns, meet, most = Turns(at_once=3, waiting=9), Event(), []

    def work() -> None:
        with turns.take(stays):
            most.append(turns.working)
            if len(most) == 3:
                meet.set()
            assert meet.wait(30), "three at once never met"

    with ThreadPoolExecutor(12) as pool:
        for task in [pool.submit(work) for _ in range(12)]:
            task.result(30)
    assert max(most) == 3
    assert turns.depth == turns.working == 0


def test_a_full_queue_sends_away_and_takes_again() -> None:
    turns = Turns(at_once=1, waiting=0)
    with turns.take(stays):
        with pytest.raises(Problem) as caught, turns.take(stays):
            pass
        assert (caught.value.code, caught.value.slug) == (503, "busy")
    with turns.take(stays):
        assert turns.working == 1


def test_nobody_waits_for_a_turn_that_never_comes() -> None:
    """One that hangs in its turn would have held all behind it for ever."""
    turns = Turns(at_once=1, waiting=1, patience=0.05)
    with turns.take(stays):
        with pytest.raises(Problem, match="Too many"), turns.take(stays):
            pass
        assert (turns.depth, turns.working) == (0, 1)


def test_a_turn_is_given_back_when_the_work_fails() -> None:
    turns = Turns(at_once=1, waiting=1)
    with pytest.raises(ZeroDivisionError), turns.take(stays):
        _ = 1 / 0
    assert turns.working == 0


def test_whoever_has_gone_gets_no_turn() -> None:
    turns = Turns(at_once=1, waiting=1)
    with pytest.raises(ClientDisconnected), turns.take(lambda: True):
        pytest.fail("work was done for nobody")
    assert turns.depth == turns.working == 0


# In a server


@pytest.fixture
def captioner() -> Iterator[HeldCaptioner]:
    held = HeldCaptioner()
    yield held
    held.let_go.set()


@pytest.fixture
def app(captioner: HeldCaptioner) -> Flask:
    return create_app(captioner)


def test_a_full_server_says_so_goes_on_answering_and_recovers(
    app: Flask, captioner: HeldCaptioner, jpeg: bytes
) -> None:
    turns = app.extensions["turns"]
    with serving(app) as port, asking(port, jpeg, [1] * (AT_ONCE + WAITING)) as answers:
        try:
            eventually(lambda: (turns.working, turns.depth) == (AT_ONCE, WAITING))
            status, headers, body = ask(port, "POST", CAPTIONS, jpeg)
            assert (status, headers["Retry-After"]) == (503, "1")
            assert json.loads(body)["code"] == "busy"
            for path in ("/", "/static/page.js", "/healthz", "/metrics"):
                assert ask(port, "GET", path)[0] == 200
        finally:
            captioner.let_go.set()
        assert {answer.result(60)[0] for answer in answers} == {200}
        assert ask(port, "POST", CAPTIONS, jpeg)[0] == 200


def test_a_client_that_hangs_up_while_it_waits_is_not_worked_for(
    app: Flask, captioner: HeldCaptioner, jpeg: bytes
) -> None:
    turns = app.extensions["turns"]
    turns.at_once = 1
    with serving(app) as port, asking(port, jpeg, [2]) as (first,):
        try:
            eventually(lambda: captioner.beams == [2])
            with socket.create_connection(("127.0.0.1", port)) as client:
                head = f"POST {CAPTIONS}?beam=3 HTTP/1.1\r\nHost: localhost\r\n"
                client.sendall(f"{head}Content-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg)
                eventually(lambda: turns.depth == 1)
            eventually(lambda: turns.depth == 0)
        finally:
            captioner.let_go.set()
        assert first.result(60)[0] == 200
        assert ask(port, "POST", f"{CAPTIONS}?beam=4", jpeg)[0] == 200
    assert captioner.beams == [2, 4]
