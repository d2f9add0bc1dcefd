"""The kinds of findings about a deployment, each with its stable code."""

from __future__ import annotations

import re
from typing import NamedTuple

_OTHER_POLICY = "; or another policy is deployed"
_USE_STATUS = re.compile(r" If it (?:is not there|already does), use --status\.")


class Kind(NamedTuple):
    """One kind of finding.

    :ivar code: its stable name.
    :ivar title: what is wrong, in a few words.
    :ivar cause: the probable cause.
    :ivar change: how to fix it.
    """

    code: str
    title: str
    cause: str
    change: str

    def after_status(self, code: str) -> Kind:
        """The same once the status page has been read.

        :param code: the code of what was found there, or "" if the settings are the same.
        """
        if code:
            words = f"fix {code} first."
            change = self.change.replace("use --status.", words).replace(
                "Use --status, and load the same code and configuration here as there.",
                f"F{words[1:]}",
            )
            return self._replace(change=change)
        if self.code == "other_decision":
            return self._replace(cause=_OTHER_STATE, change=_CHECK_STATE)
        cause = self.cause.replace(_OTHER_POLICY, "")
        return self._replace(cause=cause, change=_USE_STATUS.sub("", self.change))


# Of "other_decision", where the settings are the same.
_OTHER_STATE = (
    "The settings are the same, so a source has other rows there or fails, or something in front"
    " changes Origin."
)
_CHECK_STATE = "Compare the sources on the status page with 'flask cors sources' here."
_ALL = (
    Kind(
        "no_response",
        "There is no response",
        "The server in front closes the connection, fails at TLS, or takes too long.",
        "Look in its log for the time of this test.",
    ),
    Kind(
        "not_found",
        "Something that does not know the URL responds to a preflight",
        "URL is not the app's root; or the server in front does not pass on OPTIONS, or the path.",
        "Give the app's root, including the path that it is mounted at; and pass OPTIONS on to the"
        " app.",
    ),
    Kind(
        "https_redirect",
        "http is redirected to https",
        "The server in front does this to preflights too, whose redirects browsers do not follow.",
        "Have pages request https from the start, and verify that URL.",
    ),
    Kind(
        "preflight_redirected",
        "A preflight is redirected, which browsers do not follow",
        "A login in front does this, or a server that adds or removes a slash or changes the host.",
        "Pass OPTIONS on to the app; and have pages request the final URL.",
    ),
    Kind(
        "preflight_needs_login",
        "A preflight is refused because it has no login, which preflights never have",
        "Something in front, or a function of guard.run_first, asks for credentials.",
        "Let OPTIONS with Access-Control-Request-Method through without them (nginx: limit_except"
        " OPTIONS; Apache: Require method OPTIONS).",
    ),
    Kind(
        "preflight_not_allowed",
        "Something else refuses a preflight",
        "Something in front serves the path itself (files, WhiteNoise, Connexion, a gateway), or"
        " lets only some requests through (a list of methods, a firewall, a rate limit).",
        "Pass OPTIONS on to the app; or put guard.wsgi or guard.asgi around what serves the path,"
        " or give it what flask cors export prints. If the status is 429, use a lower --rate.",
    ),
    Kind(
        "app_unreachable",
        "The server in front reports that the app does not respond",
        "The app is down or busy, or the server in front looks for it at another address.",
        "Look in the logs of both, and verify again when the app responds.",
    ),
    Kind(
        "preflight_replaced",
        "Something else responds to a preflight",
        "The server in front has a rule for OPTIONS, a page for every path, or an error page.",
        "Remove the rule, and pass OPTIONS on to the app.",
    ),
    Kind(
        "origin_lost",
        "Origin does not reach the app",
        "Something in front removes it, so the guard mistakes every request for one from the app's"
        " own pages.",
        "Pass on Origin and Access-Control-Request-* as the browser sent them.",
    ),
    Kind(
        "preflight_lost",
        "The app does not see that a request is a preflight",
        "Something in front removes Origin or Access-Control-Request-Method, or changes the method"
        " OPTIONS.",
        "Pass on OPTIONS, Origin and Access-Control-Request-* as the browser sent them.",
    ),
    Kind(
        "doubled_header",
        "A header is sent twice, which browsers reject",
        "The guard sends it, and something in front adds it (nginx: add_header; Apache: Header).",
        "Remove it from the configuration of the server in front.",
    ),
    Kind(
        "star_added",
        "Every site may read what the policy lets only some read",
        "Something in front adds Access-Control-Allow-Origin: *, or serves the path itself: files"
        " by nginx, WhiteNoise, a CDN.",
        "Remove the * there, or put guard.wsgi around what serves the path. If everybody may read"
        " it, set origins='*' in the policy.",
    ),
    Kind(
        "stranger_admitted",
        "A site may read what the policy does not let it read",
        "Something in front repeats any Origin in Access-Control-Allow-Origin (nginx:"
        " $http_origin); or another policy is deployed.",
        "Remove it there. If it is not there, use --status.",
    ),
    Kind(
        "header_added",
        "There is a CORS header that the guard does not send",
        "Something in front adds it to every response; or another policy is deployed.",
        "Remove it from the configuration of the server in front. If it is not there, use"
        " --status.",
    ),
    Kind(
        "header_lost",
        "A CORS header is missing",
        "Something in front removes it, or responds itself (an error page, a file); or another"
        " policy is deployed.",
        "Have it leave the app's headers alone, and send the policy's headers with everything that"
        " it serves itself, including errors. If it already does, use --status.",
    ),
    Kind(
        "header_changed",
        "A CORS header has another value",
        "Something in front sets it; or another policy is deployed.",
        "Remove it from the configuration of the server in front. If it is not there, use"
        " --status.",
    ),
    Kind(
        "vary_lost",
        "A name is missing from Vary, so a cache may give one origin's response to another",
        "Something in front removes or replaces Vary, or writes CORS headers without it.",
        "Have it leave Vary alone (nginx: no proxy_hide_header; Apache: Header merge). Whatever"
        " writes CORS headers must add Vary: Origin to every response.",
    ),
    Kind(
        "mixed_up",
        "One origin gets the response meant for another",
        "A cache in front ignores Origin when it stores responses.",
        "Have it respect Vary, or add Origin to its key, or not store these responses; and empty"
        " it.",
    ),
    Kind(
        "host_lost",
        "The app mistakes its own pages for another site's",
        "The server in front sends another Host, or drops its port (nginx: $host, $proxy_host;"
        " Apache: ProxyPreserveHost Off).",
        "Pass on the whole Host (nginx: proxy_set_header Host $http_host; Apache:"
        " ProxyPreserveHost On), or use ProxyFix, or list the origin in self_origins.",
    ),
    Kind(
        "other_decision",
        "The deployed guard decides differently",
        "Another policy is deployed: other settings, another version, or a source that fails. Or"
        " something in front changes Origin.",
        "Use --status, and load the same code and configuration here as there.",
    ),
    Kind(
        "other_settings",
        "Other settings are deployed",
        "The policies, the routes or the configuration there are not this app's.",
        "Deploy this app; or load the same code, environment and settings file here as there.",
    ),
    Kind(
        "no_status",
        "The status page has no fingerprint",
        "It does not exist, it needs a login, or it does not return guard.status() as JSON.",
        "Give a URL whose view returns guard.status().",
    ),
)
#: By their codes.
KINDS = {kind.code: kind for kind in _ALL}
