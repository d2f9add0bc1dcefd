"""The sources of an app's policies, as its requests ask them."""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic

from flask import Request

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import CorsRequest, Decision, decide_unlisted
from flask_corsguard.protocol.origins import CheckFailedError
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Entry
from flask_corsguard.runtime.decision_cache import DecisionCache, Key
from flask_corsguard.sources.feed import Feed, Listener, admits, views_of
from flask_corsguard.text import described


class LiveOrigins:
    """Decides the requests whose origin a source may know, and keeps these decisions for as long as
    the rows that they rest on.

    :param listener: is told when a source has been read.
    """

    __slots__ = ("_cache", "_listener", "_publications")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._publications = Feed.publications
        self._cache: DecisionCache[tuple[Feed, ...]] = DecisionCache()

    def kept(self, key: Key | None) -> Decision | None:
        """The decision that is kept under a key, if no source that it rests on is due."""
        if self._publications == Feed.publications:
            kept = self._cache.get(key)
            if kept is not None:
                decision, feeds = kept
                now = monotonic()
                for feed in feeds:
                    if now >= feed.due:
                        return None
                return decision
        return None

    def decide(
        self, request: Request, asked: CorsRequest, entry: Entry, key: Key | None
    ) -> Decision:
        """The decision by the policy of an entry, which has a source.

        :param key: what it may be kept under, if it rests on rows alone.
        """
        policy = entry.policy
        assert policy is not None
        asking = _Asking(request, self._listener)
        if entry.by_tenant and key is not None:
            key = asking.key_with_tenants(key, entry)
            decision = self.kept(key)
            if decision is not None:
                return decision
        # Before any row is looked at: what rests on rows that are replaced meanwhile goes into the
        # cache that is replaced with them.
        if self._publications != Feed.publications:
            self._publications = Feed.publications
            self._cache = DecisionCache()
        cache = self._cache
        decision = decide_unlisted(policy, asked, entry.scope, asks=True, admits_live=asking.admits)
        if key is not None and entry.is_constant and asking.rests_on_rows(decision):
            cache.keep(key, (decision, asking.feeds))
        return decision


class _Asking:
    """What one request asks of sources.

    :ivar feeds: those that were asked.
    """

    __slots__ = ("_admitted", "_is_certain", "_listener", "_request", "_tenants", "feeds")

    def __init__(self, request: Request, listener: Listener) -> None:
        self.feeds: tuple[Feed, ...] = ()
        self._request = request
        self._listener = listener
        self._is_certain = True
        self._admitted = False
        self._tenants: dict[Feed, Hashable] = {}

    def key_with_tenants(self, key: Key, entry: Entry) -> Key | None:
        """The key with what ``by`` says of the request; None if that fails."""
        for policy in policies_of(entry.policy):
            for view in views_of(policy) if policy.compiled.sources else ():
                if view.feed.by is not None:
                    try:
                        key = (*key, self._tenant(view.feed))
                    except CheckFailedError:
                        return None
        return key

    def admits(self, policy: Policy, asked: CorsRequest) -> bool:
        """Whether a source of a policy admits the origin.

        :raises CheckFailedError: if none does, and one cannot tell.
        """
        failures: list[str] = []
        text = asked.origin or ""
        for view in views_of(policy):
            feed = view.feed
            self.feeds = (*self.feeds, feed)
            try:
                tenant = None if feed.by is None else self._tenant(feed)
                if monotonic() >= feed.due:
                    feed.ask(self._listener)
                if admits(view, tenant, text):
                    self._admitted = True
                    return True
                # What no row is about is not kept: anybody can make tenants up.
                is_known = feed.by is None or (view.snapshot and view.snapshot.knows(tenant))
                self._is_certain = self._is_certain and bool(is_known)
            except CheckFailedError as error:
                self._is_certain = False
                failures.append(str(error))
        if failures:
            raise CheckFailedError("; ".join(failures))
        return False

    def _tenant(self, feed: Feed) -> Hashable:
        if feed not in self._tenants:
            assert feed.by is not None
            try:
                tenant = feed.by(self._request)
                hash(tenant)
            except BaseException as error:
                if is_shutdown(error):
                    raise
                raise CheckFailedError(f"by of {feed.name}: {described(error)}") from error
            self._tenants[feed] = tenant
        return self._tenants[feed]

    def rests_on_rows(self, decision: Decision) -> bool:
        """Whether nothing but rows has decided, so that the decision holds as long as they do."""
        allows = [policy.compiled.allow for policy in decision.policies]
        callables = [allow for allow in allows if allow is not None and allow.check is not None]
        is_unasked = not callables or (self._admitted and callables == allows[-1:])
        return self._is_certain and is_unasked
