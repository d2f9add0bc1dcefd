"""The verdicts, and the reasons for a rejection."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """The verdict about a request."""

    # Members are used as keys, and are equal only to themselves; Enum's own hash is slow.
    __hash__ = object.__hash__

    NOT_CORS = "not-cors"
    """No ``Origin`` header: nothing to decide."""
    SAME_ORIGIN = "same-origin"
    """One of the app's own pages sent it, and CORS does not apply."""
    ALLOWED = "allowed"
    """The page may read the response."""
    REJECTED = "rejected"
    """The page may not read the response; :class:`Reason` says why."""
    UNENFORCED = "unenforced"
    """A WebSocket handshake that the policy does not admit, for the :class:`Reason` given, and that
    nothing refuses. No browser holds it back, so the page can use the socket that a view opens."""
    EXEMPT = "exempt"
    """The guard leaves the request alone: its route is marked with ``cors_exempt``, headers of the
    view's own stand, or something in front of the app responds to it."""


class Reason(Enum):
    """Why a request was rejected, or is not admitted.

    :ivar is_about_origin: whether the origin itself was rejected, rather than the method or a
        header.
    """

    is_about_origin: bool
    __hash__ = object.__hash__

    ORIGIN_NOT_ALLOWED = "origin-not-allowed"
    """The origin matches nothing in ``origins``."""
    ORIGIN_DENIED = "origin-denied"
    """The origin matches ``deny_origins``."""
    ORIGIN_NULL = "origin-null"
    """The opaque origin ``null``, which any sandboxed page can send."""
    ORIGIN_MALFORMED = "origin-malformed"
    """No browser writes an origin like that."""
    ORIGIN_CHECK_FAILED = "origin-check-failed"
    """Nobody can tell: the callable in ``origins`` raised, or did not return a bool; or a source
    has not been read, or not for too long."""
    METHOD_NOT_ALLOWED = "method-not-allowed"
    """The requested method is not among ``methods``."""
    HEADERS_NOT_ALLOWED = "headers-not-allowed"
    """A requested header is not among ``allow_headers``."""
    HEADERS_MALFORMED = "headers-malformed"
    """The list of requested headers breaks the grammar or is too long."""
    PRIVATE_NETWORK_NOT_ALLOWED = "private-network-not-allowed"
    """The preflight asks for a private network and the policy does not grant it."""
    CROSS_SITE_REQUEST = "cross-site-request"
    """Refused on the server: another site caused the request, and no origin lets it: none is named,
    or ``"*"`` alone covers it."""
    SPECULATIVE = "speculative"
    """Held back on the server: a browser asked ahead of time, perhaps for another site's page."""
    PATH_AMBIGUOUS = "path-ambiguous"
    """The path, as it was sent and as it normalises, has two different policies."""
    CREDENTIALS_NOT_ALLOWED = "credentials-not-allowed"
    """The origin may read, but not with credentials, and ``guard.origin_check`` was asked for
    both."""


_PREFLIGHT_REASONS = frozenset(
    {
        Reason.METHOD_NOT_ALLOWED,
        Reason.HEADERS_NOT_ALLOWED,
        Reason.HEADERS_MALFORMED,
        Reason.PRIVATE_NETWORK_NOT_ALLOWED,
    }
)
#: The reasons for which the next policy of a list is tried.
NOT_LISTED = frozenset({Reason.ORIGIN_NOT_ALLOWED, Reason.ORIGIN_NULL, Reason.ORIGIN_MALFORMED})

for _reason in Reason:
    _reason.is_about_origin = _reason not in _PREFLIGHT_REASONS
