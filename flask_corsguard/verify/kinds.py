"""What can be wrong with a deployment, each kind with its stable code."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of finding.

    :ivar code: its stable name.
    :ivar title: what is wrong, in a few words.
    :ivar cause: where it probably comes from.
    :ivar change: what ends it.
    """

    code: str
    title: str
    cause: str
    change: str


_ALL = (
    Kind(
        "no_response",
        "There is no response",
        "What is in front cuts the connection, fails at TLS, or takes too long.",
        "Look at its log, at this time.",
    ),
    Kind(
        "not_found",
        "Something that does not know the URL responds to a preflight",
        "URL is not the app's root; or what is in front does not pass on OPTIONS, or the path.",
        "Name the app's root, with the path that it is mounted at; and pass OPTIONS on to the app.",
    ),
    Kind(
        "https_redirect",
        "http is redirected to https",
        "What is in front does so, for preflights too, where no browser follows a redirect.",
        "Have pages ask for https at once, and verify that URL.",
    ),
    Kind(
        "preflight_redirected",
        "A preflight is redirected, and no browser follows that",
        "A login in front, or a server that adds or removes a slash or names its host.",
        "Pass OPTIONS on to the app; and have pages ask for the final URL.",
    ),
    Kind(
        "preflight_needs_login",
        "A preflight is refused for want of a login, and never has one",
        "Something in front, or a function of guard.run_first, asks for credentials.",
        "Let OPTIONS with Access-Control-Request-Method through without them (nginx: limit_except"
        " OPTIONS; Apache: Require method OPTIONS).",
    ),
    Kind(
        "preflight_not_allowed",
        "Something else refuses a preflight",
        "Something in front serves the path itself (files, WhiteNoise, Connexion, a gateway), or"
        " lets only some requests through (a list of methods, a firewall, a limit on how many).",
        "Pass OPTIONS on to the app; or put guard.wsgi or guard.asgi around what serves the path,"
        " or give it what flask cors export prints. If the status is 429, use a lower --rate.",
    ),
    Kind(
        "app_unreachable",
        "What is in front says that the app does not respond",
        "The app is down or busy, or what is in front asks for it at another address.",
        "Look at the logs of both, and verify again when the app responds.",
    ),
    Kind(
        "preflight_replaced",
        "Something else responds to a preflight",
        "A rule for OPTIONS in front, a page for every path, or a page for errors.",
        "Take the rule out, and pass OPTIONS on to the app.",
    ),
    Kind(
        "origin_lost",
        "Origin does not reach the app",
        "Something in front removes it, so the guard takes every request for one of its own pages.",
        "Pass on Origin and Access-Control-Request-* as the browser sent them.",
    ),
    Kind(
        "preflight_lost",
        "The app does not see that a request is a preflight",
        "Something in front removes Origin or Access-Control-Request-Method, or makes another"
        " method of OPTIONS.",
        "Pass on OPTIONS, Origin and Access-Control-Request-* as the browser sent them.",
    ),
    Kind(
        "doubled_header",
        "A header comes twice, and browsers refuse that",
        "The guard sends it, and something in front adds it (nginx: add_header; Apache: Header).",
        "Take it out of the configuration of what is in front.",
    ),
    Kind(
        "star_added",
        "Every site may read what the policy gives to some",
        "Something in front adds Access-Control-Allow-Origin: *, or serves the path itself: files"
        " by nginx, WhiteNoise, a CDN.",
        "Take the * out there, or put guard.wsgi around what serves the path. If everybody may read"
        " it, say origins='*' in the policy.",
    ),
    Kind(
        "stranger_admitted",
        "A site may read what the policy does not let it read",
        "Something in front repeats any Origin in Access-Control-Allow-Origin (nginx:"
        " $http_origin); or another policy is deployed.",
        "Take it out there. If it is not there, use --status.",
    ),
    Kind(
        "header_added",
        "There is a CORS header that the guard does not send",
        "Something in front adds it, whoever asks; or another policy is deployed.",
        "Take it out of the configuration of what is in front. If it is not there, use --status.",
    ),
    Kind(
        "header_lost",
        "A CORS header is missing",
        "Something in front removes it, or responds itself (an error page, a file); or another"
        " policy is deployed.",
        "Have it leave the app's headers alone, and send the policy's own with what it serves"
        " itself, errors too. If it does, use --status.",
    ),
    Kind(
        "header_changed",
        "A CORS header has another value",
        "Something in front sets it; or another policy is deployed.",
        "Take it out of the configuration of what is in front. If it is not there, use --status.",
    ),
    Kind(
        "vary_lost",
        "A name is missing in Vary, so a cache gives one origin's response to another",
        "Something in front removes or replaces Vary, or writes CORS headers without it.",
        "Have it leave Vary alone (nginx: no proxy_hide_header; Apache: Header merge). What writes"
        " CORS headers adds Vary: Origin to every response.",
    ),
    Kind(
        "mixed_up",
        "An origin gets the response of another",
        "A cache in front keeps responses without regard to Origin.",
        "Have it heed Vary, or put Origin into its key, or not keep these responses; and empty it.",
    ),
    Kind(
        "host_lost",
        "The app takes its own pages for those of another site",
        "What is in front sends another Host, or none with a port (nginx: $host, $proxy_host;"
        " Apache: ProxyPreserveHost Off).",
        "Pass Host on whole (nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost"
        " On), or use ProxyFix, or list the origin in self_origins.",
    ),
    Kind(
        "other_decision",
        "The guard there decides otherwise",
        "Another policy is deployed: other settings, another version, or a source that fails. Or"
        " something in front changes Origin.",
        "Use --status, and load here what runs there: the same code and configuration.",
    ),
    Kind(
        "other_settings",
        "Other settings are deployed",
        "The policies, the routes or the configuration there are not this app's.",
        "Deploy this app; or load here what runs there: code, environment, settings file.",
    ),
    Kind(
        "no_status",
        "The status page has no fingerprint",
        "It is not there, it needs a login, or it does not return guard.status() as JSON.",
        "Name a URL whose view returns guard.status().",
    ),
)
#: By their codes.
KINDS = {kind.code: kind for kind in _ALL}
