"""MIME types, as far as a browser looks at those of a request."""

from __future__ import annotations

from flask_corsguard.protocol.headers import is_token

# https://fetch.spec.whatwg.org/#http-whitespace
HTTP_WHITESPACE = " \t\n\r"


def essence_of(value: str) -> str | None:
    """Parse a MIME type, and forget its parameters
    (https://mimesniff.spec.whatwg.org/#parse-a-mime-type).

    :returns: ``type/subtype`` in lower case, or None where *value* is no MIME type.
    """
    kind, slash, rest = value.strip(HTTP_WHITESPACE).partition("/")
    subtype = rest.partition(";")[0].rstrip(HTTP_WHITESPACE)
    if slash and is_token(kind) and is_token(subtype):
        return f"{kind}/{subtype}".lower()
    return None
