"""Metrics for Prometheus. Each process has its own metrics, so give each its own port."""

from http import HTTPMethod
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from showtell.web.batcher import Batcher

# Seconds, from the page to a caption at the end of a full queue.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one application.

    Parameters
    ----------
    batcher : the queue to report on.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "showtell_requests",
            "Requests answered.",
            ["endpoint", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "showtell_request_duration_seconds",
            "Time from a request's last byte to its answer, the time in the queue included.",
            ["endpoint"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._problems = Counter(
            "showtell_problems", "Requests refused or failed.", ["code"], registry=self._registry
        )
        self._watch("showtell_queue_depth", "Requests in the queue.", batcher, "depth")
        self._watch("showtell_working", "Requests that are worked on.", batcher, "working")

    def _watch(self, name: str, documentation: str, batcher: Batcher, attribute: str) -> None:
        gauge = Gauge(name, documentation, registry=self._registry)
        gauge.set_function(lambda: getattr(batcher, attribute))

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def count(self, response: Response) -> Response:
        """Count a request by known endpoints and methods only, so that labels stay few."""
        endpoint = request.endpoint or "none"
        method = request.method if request.method in HTTPMethod.__members__ else "other"
        self._requests.labels(endpoint, method, str(response.status_code)).inc()
        self._seconds.labels(endpoint).observe(perf_counter() - g.started)
        if "problem" in g:
            self._problems.labels(g.problem).inc()
        return response


def register(app: Flask) -> None:
    """Count the requests of `app`. Call this before registering what may refuse requests."""
    metrics = app.extensions["metrics"] = Metrics(app.extensions["batcher"])
    app.before_request(_start)
    app.after_request(metrics.count)


def _start() -> None:
    g.started = perf_counter()
