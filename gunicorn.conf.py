"""Settings that ``gunicorn app:app`` reads here; its command line goes before them."""

import os

from gunicorn.workers.base import Worker

bind = "127.0.0.1:5000"
# Every worker loads the model, counts its own metrics, and has a queue of its own.
workers = 1
timeout = 60  # seconds without a sign of life after which the worker is started anew
graceful_timeout = 30  # seconds that requests may still take after SIGTERM or SIGHUP
control_socket_disable = True


class ShowtellWorker(Worker):
    """Serves as ``showtell serve`` does: slow clients hold no threads, and memory is bounded."""

    def run(self):
        """Serve until the master says otherwise."""
        # Not above: ONNX Runtime does not survive the fork of a process that has loaded it. For
        # the same reason there is no --preload.
        from showtell.web.server import serve_at

        server = serve_at([listening.sock for listening in self.sockets], self.wsgi)

        def each_round():
            self.notify()
            if not server.stopping and (not self.alive or os.getppid() != self.ppid):
                server.stop()

        server.run(each_round)


worker_class = ShowtellWorker
