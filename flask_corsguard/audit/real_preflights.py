"""Real preflights to each route, through everything that surrounds the guard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask_corsguard.audit.delivery import deliver, fault_of
from flask_corsguard.audit.findings import Findings, Level
from flask_corsguard.audit.sample_requests import SampleRequests
from flask_corsguard.protocol.decision import Decision
from flask_corsguard.routing.table import Route
from flask_corsguard.runtime.state import AppState


def send_preflights(
    state: AppState,
    route: Route,
    requests: SampleRequests,
    origins: Iterable[str],
    found: Findings,
) -> Iterator[tuple[str, Decision]]:
    """Send a route a preflight from each of some origins. Add a finding if something fails or ends
    one on its way, or changes its response.

    :returns: the origins with the guard's decisions.
    """
    for origin in origins:
        environ = {**requests.environ(preflight=True), "HTTP_ORIGIN": origin}
        delivery = deliver(state, environ)
        if delivery.is_bypass:
            message = "app.wsgi_app no longer leads through what CorsGuard has put there."
            found.add("middleware_bypassed", message)
        if delivery.decision is not None:
            yield origin, delivery.decision
        fault = fault_of(state, delivery)
        if fault is not None:
            level = Level.NOTE if fault.is_harmless else None
            found.add(fault.code, fault.message, [route], level=level, location=fault.location)
            return
