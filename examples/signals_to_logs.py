"""Rejections as JSON lines, and metrics. ``flask --app examples/signals_to_logs run``

With four workers: ``gunicorn --config examples/gunicorn.conf.py``

The guard sends a signal for every rejection. Its own log leaves repeated lines out; it is off here,
so that nothing is written twice.
"""

import json
import logging
import sys

from flask import Flask
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from flask_corsguard import CorsGuard, origin_rejected, preflight_rejected
from flask_corsguard.metrics import register

app = Flask(__name__)
app.config["CORSGUARD_LOG_REJECTIONS"] = False
guard = CorsGuard(app, origins=["https://app.example.com"])

log = logging.getLogger("rejections")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.StreamHandler(sys.stdout))


@origin_rejected.connect_via(app)
@preflight_rejected.connect_via(app)
def write_line(sender, decision):
    # json.dumps escapes control characters and everything beyond ASCII, and the guard has cut the
    # origin: whatever a client sends stays on one line.
    line = {
        "event": "cors_rejected",
        "app": sender.name,
        "reason": decision.reason.name,
        "origin": decision.origin,
        "method": decision.method,
        "path": decision.path[:200],
        "preflight": decision.preflight,
        "blocked": decision.blocked,
        "report_only": decision.report_only,
        "endpoint": decision.endpoint,
        "policy": decision.policy_source,
    }
    log.info(json.dumps(line))


@app.get("/api/users")
def users():
    return ["Ada", "Grace"]


# The guard counts decisions itself, and never by origin or path: a client can make up any number of
# those. With several workers, these are the metrics of all of them.
registry = CollectorRegistry()
register(app, registry)


@app.get("/metrics")
def metrics():
    return generate_latest(registry), {"Content-Type": CONTENT_TYPE_LATEST}
