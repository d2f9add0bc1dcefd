"""Every extension, by kind."""

from . import apis, around, limits, logins, pages, serverless, sockets, tracing
from .extension import Extension

EXTENSIONS: list[Extension] = [
    extension
    for kind in (logins, limits, apis, pages, sockets, tracing, around, serverless)
    for extension in kind.EXTENSIONS
]

# What .ci/run has too: small packages.
QUICK = {
    "DispatcherMiddleware",
    "Flask-Login",
    "Flask-Sock",
    "Flask-SocketIO",
    "OpenTelemetry",
    "ProxyFix",
    "Starlette",
    "WhiteNoise",
    "asgiref",
    "python-socketio",
}
