"""What measures each request: with spans, transactions, counters. Most of it changes the whole
process."""

import logging
import os
import re
from typing import Any

import flask
from flask import Flask, abort

from flask_corsguard import origin_allowed, origin_rejected, preflight_rejected

from .extension import EVIL, Extension, Page, Scope

# What a page of tracing has to show: these requests, with their statuses.
REQUESTS = [
    ("OPTIONS", 204),  # a preflight that is allowed
    ("OPTIONS", 403),
    ("GET", 200),
    ("POST", 403),  # a request that is refused
]


def send_them(page: Page) -> None:
    page.preflight("/guarded", "PUT")
    page.preflight("/guarded", "PATCH", status=403)
    page.read("GET", "/guarded")
    Page(page.application, EVIL).send("POST", "/guarded", 403)


# OpenTelemetry


def provider() -> Any:
    """One that keeps its spans, which are cleared as soon as somebody has looked at them."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    made = TracerProvider()
    kept["spans"] = InMemorySpanExporter()
    made.add_span_processor(SimpleSpanProcessor(kept["spans"]))
    return made


# What the tests look at afterwards. Each of them runs in a process of its own.
kept: Scope = {}


def instrumented() -> Flask:
    """The app, after ``instrument()`` has replaced flask.Flask; the guard is imported by now."""
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    FlaskInstrumentor().instrument(tracer_provider=provider())
    app = flask.Flask("shop", static_folder=None)
    assert type(app) is not Flask
    return app


def listens(app: Flask) -> Scope:
    """Ask in receivers of the guard's signals what the current span is, and listen for warnings."""
    from opentelemetry import trace

    kept["heard"], kept["warnings"] = [], []

    def receive(sender: Flask, decision: Any) -> None:
        kept["heard"].append(trace.get_current_span().is_recording())

    for signal in (origin_allowed, origin_rejected, preflight_rejected):
        signal.connect(receive, app)

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept["warnings"].append(record.getMessage())

    logging.getLogger("opentelemetry").addHandler(Listening())
    return {"receive": receive}


def instrument_app(app: Flask) -> Scope:
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    FlaskInstrumentor().instrument_app(app, tracer_provider=provider())
    return listens(app)


def has_spans(page: Page) -> None:
    kept["spans"].clear()
    kept["heard"].clear()
    send_them(page)
    spans = kept["spans"].get_finished_spans()
    assert [(s.attributes["http.method"], s.attributes["http.status_code"]) for s in spans] == (
        REQUESTS
    )
    assert {span.attributes["http.route"] for span in spans} == {"/guarded"}
    assert kept["heard"] == [True] * len(REQUESTS)
    # The page continues a trace of its own.
    page.preflight("/guarded", "GET", "traceparent", "baggage")
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    page.read("GET", "/guarded", headers=headers)
    assert f"{kept['spans'].get_finished_spans()[-1].context.trace_id:032x}" == trace_id
    assert kept["warnings"] == []


# Sentry


def sentry(app: Flask) -> Scope:
    return {}


def sentry_app() -> Flask:
    """The app, after Sentry has patched Flask; it captures preflights too, which it leaves out."""
    import sentry_sdk
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.transport import Transport

    kept["events"] = []

    class Keeping(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            kept["events"] += [
                item.get_event() or item.get_transaction_event() for item in envelope
            ]

    methods = ("GET", "OPTIONS", "POST", "PUT")
    sentry_sdk.init(
        "https://key@sentry.example/1",
        transport=Keeping,
        traces_sample_rate=1.0,
        integrations=[FlaskIntegration(http_methods_to_capture=methods)],
    )
    return Flask("shop", static_folder=None)


def reports(page: Page) -> None:
    kept["events"].clear()
    send_them(page)
    page.preflight("/guarded", "GET", "sentry-trace", "baggage")
    page.read("GET", "/fails", 500)
    found = [event for event in kept["events"] if event is not None]
    contexts = [event["contexts"] for event in found if event.get("type") == "transaction"]
    statuses = [context["response"]["status_code"] for context in contexts]
    assert statuses == [status for _, status in REQUESTS] + [204, 500]
    errors = [event["exception"]["values"][0]["type"] for event in found if "exception" in event]
    assert errors == ["LookupError"]


# Agents


def elastic_apm(app: Flask) -> Scope:
    import elasticapm
    from elasticapm.contrib.flask import ElasticAPM

    class Keeping(elasticapm.Client):  # type: ignore[misc]
        def queue(self, event_type: str, data: Any, flush: bool = False) -> None:
            if event_type == "transaction":
                kept["transactions"].append(data)

    kept["transactions"] = []
    config = {"SERVICE_NAME": "shop", "METRICS_INTERVAL": "0ms", "CENTRAL_CONFIG": False}
    client = Keeping({**config, "CLOUD_PROVIDER": "none"})
    return {"apm": ElasticAPM(app, client=client), "close": client.close}


def has_transactions(page: Page) -> None:
    kept["transactions"].clear()
    send_them(page)
    assert [(t["name"], t["result"]) for t in kept["transactions"]] == [
        (f"{method} /guarded", f"HTTP {status // 100}xx") for method, status in REQUESTS
    ]


def datadog_app() -> Flask:
    """The app, after the agent has patched Flask."""
    quiet = ("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED")
    os.environ.update(dict.fromkeys((*quiet, "DD_TRACE_STARTUP_LOGS"), "false"))
    import ddtrace
    from ddtrace.trace import TraceFilter, tracer

    kept["traces"] = []

    class Keeping(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            kept["traces"].append(trace)

    ddtrace.patch(flask=True)
    tracer.configure(trace_processors=[Keeping()])
    return flask.Flask("shop", static_folder=None)


def datadog(app: Flask) -> Scope:
    app.after_request(lambda response: response)  # which the agent wraps
    return {}


def has_traces(page: Page) -> None:
    kept["traces"].clear()
    send_them(page)
    roots = [trace[0] for trace in kept["traces"]]
    assert [(root.resource, root.get_tag("http.status_code")) for root in roots] == [
        (f"{method} /guarded", str(status)) for method, status in REQUESTS
    ]


# Counters


def prometheus(app: Flask) -> Scope:
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics

    app.add_url_rule("/busy", "busy", lambda: abort(429))
    return {"metrics": PrometheusMetrics(app, registry=CollectorRegistry())}


def counts(page: Page) -> None:
    def times() -> dict[tuple[str, str], float]:
        text = page.send("GET", "/metrics").text
        name = "flask_http_request_duration_seconds_count"
        labels = re.findall(name + r'{method="(\w+)",path="/guarded",status="(\d+)"} (\S+)', text)
        return {(method, status): float(number) for method, status, number in labels}

    before = times()
    send_them(page)
    after = times()
    grown = [(m, int(s)) for m, s in after if after[m, s] == before.get((m, s), 0) + 1]
    assert sorted(grown) == sorted(REQUESTS)


def apart(name: str, needs: str, put: Any, job: Any, way: str = "", **more: Any) -> Extension:
    return Extension(name, tuple(needs.split()), put, job, way=way, apart=True, **more)


OTEL = "opentelemetry.instrumentation.flask opentelemetry.sdk"

EXTENSIONS = [
    apart("OpenTelemetry", OTEL, listens, has_spans, "instrument", make=instrumented),
    apart("OpenTelemetry", OTEL, instrument_app, has_spans, "instrument_app"),
    apart("sentry-sdk", "sentry_sdk", sentry, reports, make=sentry_app),
    apart("elastic-apm", "elasticapm", elastic_apm, has_transactions),
    apart("ddtrace", "ddtrace", datadog, has_traces, make=datadog_app),
    Extension("prometheus-flask-exporter", ("prometheus_flask_exporter",), prometheus, counts),
]
