"""Which places have to do with which app: independent apps are migrated independently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import libcst as cst

from flask_corsguard.migrate.configuration import Setting
from flask_corsguard.migrate.places import Call, Mark, Places
from flask_corsguard.migrate.routes import router_of
from flask_corsguard.migrate.sources import Module

Owners = frozenset[cst.CSTNode]


def units(places: Places) -> list[Places]:
    """The places of each app, or of several where a place belongs to all of these."""
    if len(places.apps) < 2:
        return [places]
    finder = _Finder(places)
    group_of: dict[cst.CSTNode, set[cst.CSTNode]] = {app: {app} for _, app in places.apps}
    for owners in finder.all_owners():
        joined = set[cst.CSTNode]().union(*(group_of[app] for app in owners))
        for app in joined:
            group_of[app] = joined
    groups = {id(group): group for group in group_of.values()}
    return [finder.part(group) for group in groups.values()]


class _Finder:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._every: Owners = frozenset(app for _, app in places.apps)
        self._registered: dict[cst.CSTNode, set[cst.CSTNode]] = {}
        for module in places.modules:
            for node in module.nodes:
                self._register(module, node)

    def _register(self, module: Module, node: cst.CSTNode) -> None:
        if not (isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.args):
            return
        if node.func.attr.value == "register_blueprint":
            bound = self._places.names.resolve(module, node.args[0].value)
            if bound is not None and bound.node is not None:
                owners = self._of_target(module, node.func.value)
                self._registered.setdefault(bound.node, set()).update(owners)

    def all_owners(self) -> Iterator[Owners]:
        """The apps of every place."""
        places = self._places
        yield from map(self._of_call, places.calls)
        yield from map(self._of_bare, places.bare)
        for init, bare in places.inits:
            yield self._of_call(init) | self._of_bare(bare)
        yield from map(self._of_mark, places.marks)
        yield from map(self._of_setting, places.settings)
        for loader in places.loaders:
            yield self._of_target(loader.module, loader.node)
        if places.others or places.headers:
            yield self._every

    def part(self, apps: Iterable[cst.CSTNode]) -> Places:
        """What belongs to some of the apps."""
        own, places = set(apps), self._places
        return places.part(
            apps=[app for app in places.apps if app[1] in own],
            calls=[call for call in places.calls if self._of_call(call) & own],
            bare=[bare for bare in places.bare if self._of_bare(bare) & own],
            inits=[init for init in places.inits if self._of_call(init[0]) & own],
            marks=[mark for mark in places.marks if self._of_mark(mark) & own],
            settings=[one for one in places.settings if self._of_setting(one) & own],
            loaders=[o for o in places.loaders if self._of_target(o.module, o.node) & own],
        )

    def _of_call(self, call: Call) -> Owners:
        return self._of_target(call.module, call.target) if call.target else self._every

    def _of_bare(self, bare: Call) -> Owners:
        owners = [
            self._of_call(init) for init, other in self._places.inits if other.node is bare.node
        ]
        return frozenset[cst.CSTNode]().union(*owners) if owners else self._every

    def _of_mark(self, mark: Mark) -> Owners:
        owners: set[cst.CSTNode] = set()
        for decorator in mark.function.decorators:
            call = decorator.decorator
            router = router_of(call)
            if router is not None:
                owners |= self._of_target(mark.call.module, router)
        return frozenset(owners) or self._every

    def _of_setting(self, setting: Setting) -> Owners:
        if isinstance(setting.holder, cst.Attribute):
            return self._of_target(setting.module, setting.holder.value)
        return self._every

    def _of_target(self, module: Module, target: cst.CSTNode) -> Owners:
        bound = self._places.names.resolve(module, target)
        if bound is None or bound.node is None:
            return self._every
        if bound.node in self._every:
            return frozenset({bound.node})
        return frozenset(self._registered.get(bound.node, ())) or self._every
