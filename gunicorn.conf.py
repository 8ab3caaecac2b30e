"""Settings for ``gunicorn app:app``. Options on its command line override them."""

import os

from gunicorn.workers.base import Worker

bind = "127.0.0.1:5000"
# Every worker loads the model, and has its own metrics and its own queue.
workers = 1
timeout = 60  # seconds after which a worker that does not respond is restarted
graceful_timeout = 30  # seconds to finish requests after SIGTERM or SIGHUP
control_socket_disable = True


class ShowtellWorker(Worker):
    """Serves as ``showtell serve`` does: slow clients occupy no threads, and memory is limited."""

    def run(self):
        """Serve until the master process stops the worker."""
        # Imported here, since ONNX Runtime does not survive a fork after it was loaded. For the
        # same reason, --preload is not used.
        from showtell.web.server import serve_at

        server = serve_at([listening.sock for listening in self.sockets], self.wsgi)

        def each_round():
            self.notify()
            if not server.stopping and (not self.alive or os.getppid() != self.ppid):
                server.stop()

        server.run(each_round)


worker_class = ShowtellWorker
