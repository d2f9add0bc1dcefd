"""Decisions that depend on sources."""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic

from flask import Request

from flask_corsguard.errors import is_shutdown
from flask_corsguard.protocol.audiences import policies_of
from flask_corsguard.protocol.decision import (
    CorsRequest,
    Decision,
    decide_listed,
    decide_unlisted,
)
from flask_corsguard.protocol.origins import CheckFailedError
from flask_corsguard.protocol.policy import Policy
from flask_corsguard.routing.table import Entry
from flask_corsguard.runtime.decision_cache import DecisionCache
from flask_corsguard.runtime.requests import Key, cors_request
from flask_corsguard.sources.feed import Feed, Listener, View, admits, views_of
from flask_corsguard.text import described


class LiveOrigins:
    """Decides about requests whose origin a source may list, and caches each decision until the
    rows that it depends on change.

    :param listener: told when sources are read, or fail.
    """

    __slots__ = ("_cache", "_listed", "_listener", "_seen")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._renew()

    def _renew(self) -> None:
        # In this order: a decision by rows that are just being replaced must go into a cache that
        # is replaced too.
        self._seen = Feed.published
        self._listed: DecisionCache[None] = DecisionCache()
        self._cache: DecisionCache[tuple[Feed, ...]] = DecisionCache()

    def listed(
        self, request: Request, asked: CorsRequest | None, entry: Entry, key: Key | None
    ) -> Decision | None:
        """The decision about an origin that a row lists exactly, if nothing else in the request can
        change it; otherwise None.

        :param asked: the parts of the request that a decision depends on; None if it is cached.
        :param key: its key in the cache.
        """
        view = entry.live.only_view if entry.live else _sources_of(entry).only_view
        if view is None or key is None or monotonic() >= view.feed.fresh_until:
            return None
        if self._seen is not Feed.published:
            self._renew()
        cache = self._listed
        kept = cache.get(key) if asked is None else None
        if kept is not None:
            return kept[0]
        origin: str | None = request.environ.get("HTTP_ORIGIN")
        snapshot, policy = view.snapshot, entry.policy
        if snapshot is None or origin not in snapshot.listed or not isinstance(policy, Policy):
            return None
        decision = decide_listed(
            policy, asked or cors_request(request), entry.scope, view.admission
        )
        if decision.reason is None:
            cache.keep(key, (decision, None))
        return decision

    def listed_first(
        self, request: Request, asked: CorsRequest, entry: Entry, key: Key | None
    ) -> Decision | None:
        """The same, before the policy's own list is checked, if that is possible."""
        sources = entry.live or _sources_of(entry)
        policy = entry.policy
        if not sources.listed_first or not isinstance(policy, Policy):
            return None
        if asked.origin in policy.compiled.listed:
            return None
        return self.listed(request, asked, entry, key)

    def decide(
        self, request: Request, asked: CorsRequest | None, entry: Entry, key: Key | None
    ) -> Decision:
        """The decision by the policy of an entry with a source.

        :param key: its key in the cache, if it depends only on rows.
        """
        sources = entry.live or _sources_of(entry)
        asking: _Asking | None = None
        if sources.by_tenant and key is not None:
            asking = _Asking(request, self._listener)
            key = asking.key_with_tenants(key, entry)
        if self._seen is not Feed.published:
            self._renew()
        cache = self._cache
        kept = cache.get(key) if asked is None or sources.by_tenant else None
        if kept is not None:
            decision, feeds = kept
            now = monotonic()
            for feed in feeds:
                if now >= feed.fresh_until:
                    break
            else:
                return decision
        asked = asked or cors_request(request)
        decision, rests_on = self._decided(request, asked, entry, asking)
        if key is not None and rests_on is not None:
            cache.keep(key, (decision, rests_on))
        return decision

    def _decided(
        self, request: Request, asked: CorsRequest, entry: Entry, asking: _Asking | None
    ) -> tuple[Decision, tuple[Feed, ...] | None]:
        """The decision, and the sources whose rows it depends on; None if it depends on more."""
        policy, sources = entry.policy, entry.live
        assert policy is not None
        view: View | None = sources.only_view
        is_fresh = view is not None and monotonic() < view.feed.fresh_until
        if view and view.snapshot and is_fresh and not sources.has_check:
            # The same as below, in half the time, for nearly all requests.
            assert isinstance(policy, Policy)
            if view.snapshot.admits(None, asked.origin or ""):
                decision = decide_listed(policy, asked, entry.scope, view.admission)
                return decision, (view.feed,)
            return decide_unlisted(policy, asked, entry.scope, asks=False), (view.feed,)
        asking = asking or _Asking(request, self._listener)
        decision = decide_unlisted(policy, asked, entry.scope, asks=True, admits_live=asking.admits)
        rests_on_rows = entry.is_constant and asking.rests_on_rows(decision, sources)
        return decision, asking.feeds if rests_on_rows else None


class EntrySources:
    """The sources of one entry of the table.

    :ivar only_view: the only source, if an origin that it lists is allowed in any case; or None.
    :ivar by_tenant: whether a source has tenants.
    :ivar has_check: whether there is a callable too.
    :ivar listed_first: whether the rows of *only_view* can be checked before the policy's list,
        because that has only exact entries.
    """

    __slots__ = ("by_tenant", "has_check", "listed_first", "only_view")

    def __init__(self, entry: Entry) -> None:
        policies = policies_of(entry.policy)
        views = [view for policy in policies for view in views_of(policy)]
        compiled = [policy.compiled for policy in policies]
        self.by_tenant = any(view.feed.by is not None for view in views)
        self.has_check = any(each.allow is not None and each.allow.check for each in compiled)
        is_only = len(policies) == len(views) == 1 and not self.by_tenant and entry.is_constant
        self.only_view: View | None = views[0] if is_only and not compiled[0].deny else None
        allow = compiled[0].allow
        self.listed_first = self.only_view is not None and allow is not None and allow.is_exact


def _sources_of(entry: Entry) -> EntrySources:
    entry.live = sources = EntrySources(entry)
    return sources


class _Asking:
    """What one request asks sources.

    :ivar feeds: the feeds of the sources that it has asked.
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
        """The key with the request's tenants, from ``by``; None if that fails."""
        for policy in policies_of(entry.policy):
            for view in views_of(policy) if policy.compiled.sources else ():
                if view.feed.by is not None:
                    try:
                        key = (*key, self._tenant(view.feed))
                    except CheckFailedError:
                        return None
        return key

    def admits(self, policy: Policy, asked: CorsRequest) -> str:
        """Return which source of a policy admits the origin, in words; "" if none does.

        :raises CheckFailedError: if none does, and the check of one fails.
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
                    return view.admission
            except CheckFailedError as error:
                self._is_certain = False
                failures.append(str(error))
        if failures:
            raise CheckFailedError("; ".join(failures))
        return ""

    def _tenant(self, feed: Feed) -> Hashable:
        if feed not in self._tenants:
            assert feed.by is not None
            try:
                tenant = feed.by(self._request)
                hash(tenant)
                # Only to see whether it can be compared.
                bool(tenant == tenant)
            except BaseException as error:
                if is_shutdown(error):
                    raise
                raise CheckFailedError(f"by of {feed.name}: {described(error)}") from error
            self._tenants[feed] = tenant
        return self._tenants[feed]

    def rests_on_rows(self, decision: Decision, sources: EntrySources) -> bool:
        """Whether only rows have decided, so that the decision holds until they change."""
        # Decisions about unknown tenants are not cached: anybody can make up tenants.
        is_certain = self._is_certain and all(
            any(view.snapshot is not None and view.snapshot.knows(tenant) for view in feed.views)
            for feed, tenant in self._tenants.items()
        )
        if not is_certain or not sources.has_check:
            return is_certain
        allows = [policy.compiled.allow for policy in decision.policies]
        callables = [allow for allow in allows if allow is not None and allow.check is not None]
        return not callables or (self._admitted and callables == allows[-1:])
