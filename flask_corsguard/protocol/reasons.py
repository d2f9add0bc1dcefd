"""The verdicts, and the reasons for a rejection."""

from __future__ import annotations

from enum import Enum

#: In ``Decision.without_effect``: a mark that does not reach the view or the method.
HIDDEN_MARK = "mark"


class Outcome(Enum):
    """The verdict about a request."""

    # Members are used as keys and equal only themselves, and Enum's own hash is slow.
    __hash__ = object.__hash__

    NOT_CORS = "not-cors"
    """There is no ``Origin`` header, so there is nothing to decide."""
    SAME_ORIGIN = "same-origin"
    """One of the app's own pages sent the request; CORS does not apply."""
    ALLOWED = "allowed"
    """The page may read the response."""
    REJECTED = "rejected"
    """The page may not read the response; the :class:`Reason` explains why."""
    UNENFORCED = "unenforced"
    """A WebSocket handshake that the policy does not admit, for the given :class:`Reason`, but that
    nothing refuses. Browsers do not block it, so the page can use the socket if a view opens it."""
    EXEMPT = "exempt"
    """The guard leaves the request alone: its route is marked with ``cors_exempt``, the view's
    own headers are kept, or something in front of the app responds."""


class Reason(Enum):
    """Why a request was rejected, or is not admitted.

    :ivar is_about_origin: whether the origin itself was rejected, rather than the method or a
        header.
    """

    is_about_origin: bool
    __hash__ = object.__hash__

    ORIGIN_NOT_ALLOWED = "origin-not-allowed"
    """Nothing in ``origins`` matches the origin."""
    ORIGIN_DENIED = "origin-denied"
    """An entry of ``deny_origins`` matches the origin."""
    ORIGIN_NULL = "origin-null"
    """The origin is the opaque ``null``, which any sandboxed page can send."""
    ORIGIN_MALFORMED = "origin-malformed"
    """The value is not an origin as browsers write it."""
    ORIGIN_CHECK_FAILED = "origin-check-failed"
    """The check failed: the callable in ``origins`` raised an exception or did not return a bool,
    or a source has never been read, or too long ago."""
    METHOD_NOT_ALLOWED = "method-not-allowed"
    """The requested method is not among ``methods``."""
    HEADERS_NOT_ALLOWED = "headers-not-allowed"
    """A requested header is not among ``allow_headers``."""
    HEADERS_MALFORMED = "headers-malformed"
    """The list of requested headers breaks the grammar or is too long."""
    PRIVATE_NETWORK_NOT_ALLOWED = "private-network-not-allowed"
    """The preflight asks for a private network, and the policy does not allow that."""
    CROSS_SITE_REQUEST = "cross-site-request"
    """Refused on the server: another site caused the request, and there is no ``Origin``, or only
    ``"*"`` admits it."""
    SPECULATIVE = "speculative"
    """Refused on the server: a browser sent it ahead of time, perhaps for another site's page."""
    PATH_AMBIGUOUS = "path-ambiguous"
    """The path can be read in two ways, as sent and normalised, which have different policies; or,
    behind ``guard.wsgi``, it is not known which of the two is served."""
    CREDENTIALS_NOT_ALLOWED = "credentials-not-allowed"
    """The origin may read, but not with credentials, which ``guard.origin_check`` requires here."""


_PREFLIGHT_REASONS = frozenset(
    {
        Reason.METHOD_NOT_ALLOWED,
        Reason.HEADERS_NOT_ALLOWED,
        Reason.HEADERS_MALFORMED,
        Reason.PRIVATE_NETWORK_NOT_ALLOWED,
    }
)
#: The reasons after which the next policy of a list is tried.
NOT_LISTED = frozenset({Reason.ORIGIN_NOT_ALLOWED, Reason.ORIGIN_NULL, Reason.ORIGIN_MALFORMED})

for _reason in Reason:
    _reason.is_about_origin = _reason not in _PREFLIGHT_REASONS
