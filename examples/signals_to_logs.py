"""Rejections as JSON lines, and counted by reason. ``flask --app examples/signals_to_logs run``

The signals are sent for every rejection. The guard's own log, which leaves repeated lines out, is
turned off here so that nothing is written twice.
"""

import json
import logging
import sys
from collections import Counter

from flask import Flask

from flask_corsguard import CorsGuard, origin_rejected, preflight_rejected

app = Flask(__name__)
app.config["CORSGUARD_LOG_REJECTIONS"] = False
guard = CorsGuard(app, origins=["https://app.example.com"])

log = logging.getLogger("rejections")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.StreamHandler(sys.stdout))

# By reason and endpoint, never by origin or path: whoever sends requests can make up any number of
# those, but the number of reasons and endpoints is limited.
counts = Counter()


@origin_rejected.connect_via(app)
@preflight_rejected.connect_via(app)
def write_line(sender, decision):
    # json.dumps escapes control characters and everything beyond ASCII, and the guard has cut the
    # origin: whatever was sent stays on one line.
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


@origin_rejected.connect_via(app)
@preflight_rejected.connect_via(app)
def count(_sender, decision):
    if not decision.report_only:
        counts[decision.reason.name, decision.endpoint or "no route"] += 1


@app.get("/api/users")
def users():
    return ["Ada", "Grace"]


@app.get("/metrics")
def metrics():
    """The counts in the text format that Prometheus reads."""
    lines = [
        f'cors_rejections_total{{reason="{reason}",endpoint="{endpoint}"}} {number}'
        for (reason, endpoint), number in sorted(counts.items())
    ]
    return "\n".join([*lines, ""]), {"Content-Type": "text/plain; version=0.0.4"}
