"""How gunicorn serves ``signals_to_logs``, with metrics of all workers."""

import os
import tempfile
from pathlib import Path

chdir = str(Path(__file__).parent)
wsgi_app = "signals_to_logs:app"
workers = 4

# prometheus_client keeps a file here for each worker. It looks for this when it is imported. The
# numbers of an earlier start must not be in it.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="signals_to_logs-")


def child_exit(_server, worker):
    from prometheus_client import multiprocess

    # What the worker has counted stays; what was only true of it while it lived goes.
    multiprocess.mark_process_dead(worker.pid)
