"""Serves ``signals_to_logs`` with gunicorn, with metrics of all workers."""

import os
import tempfile
from pathlib import Path

chdir = str(Path(__file__).parent)
wsgi_app = "signals_to_logs:app"
workers = 4

# prometheus_client keeps a file for each worker in this directory. It reads the variable when it is
# imported. The directory must not hold numbers from an earlier start.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="signals_to_logs-")


def child_exit(_server, worker):
    from prometheus_client import multiprocess

    # Keeps what the worker has counted; drops what was only true while it ran.
    multiprocess.mark_process_dead(worker.pid)
