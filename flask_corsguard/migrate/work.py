"""What is known about the places of one app, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import libcst as cst

from flask_corsguard.migrate.findings import Finding
from flask_corsguard.migrate.options import Fields, Trouble, needs_re
from flask_corsguard.migrate.places import Call, Other, Places
from flask_corsguard.migrate.rewriting import Draft
from flask_corsguard.migrate.routes import Routes
from flask_corsguard.migrate.settings import Settings
from flask_corsguard.migrate.sources import Module

_WIDTH = 96
_READ = {
    "allow_headers": '"CORS_ALLOW_HEADERS", ["*", "Authorization"]',
    "methods": '"CORS_METHODS"',
}


class Work:
    """The places of some modules that belong together, and what becomes of them.

    :ivar places: where Flask-CORS is used.
    :ivar routes: the routes, as far as they can be seen.
    :ivar settings: the configuration.
    :ivar drafts: the changes to each file.
    :ivar findings: what is left alone.
    :ivar notes: what is worth knowing.
    :ivar done: the places that are migrated, with their lines.
    :ivar loops: the calls for the variable of a loop.
    :ivar blueprints: the calls for blueprints.
    :ivar apps: the other calls.
    :ivar bare_of: id of a call of ``init_app`` -> the call of ``CORS`` that it belongs to.
    :ivar outer_fields: the fields that apply further out than a view.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.names = places.names
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.drafts = {module: Draft(module, places.names) for module in places.modules}
        self.done: set[tuple[Module, range]] = set()
        self.bare_of = {id(init): bare for init, bare in places.inits}
        every = [*places.calls, *(init for init, _ in places.inits)]
        self.blueprints = [call for call in every if self._is_blueprint(call)]
        self.loops = [call for call in every if self._is_loop(call)]
        self.apps = [c for c in every if c not in self.blueprints and c not in self.loops]
        self.outer_fields: set[str] = set()
        self.routes = Routes(places)
        self.settings = Settings(places, self.apps or places.bare)

    def unattached(self) -> list[Call]:
        """The calls of ``CORS`` without an app, and without an ``init_app`` that can be seen."""
        used = {bare.node for _, bare in self.places.inits}
        return [bare for bare in self.places.bare if bare.node not in used]

    @property
    def is_blocked(self) -> bool:
        """Whether a finding stands in the way."""
        return not all(finding.local for finding in self.findings)

    def modules(self) -> set[Module]:
        """The files that have a place."""
        places = self.places
        calls = [*places.calls, *places.bare, *(init for init, _ in places.inits)]
        calls += [mark.call for mark in places.marks]
        return {call.module for call in calls} | {other.module for other in places.others}

    def done_places(self) -> list[tuple[Path, int]]:
        """The places that are migrated, or could be."""
        found = {(finding.path, finding.line) for finding in self.findings}
        return sorted(
            (module.path, lines.start)
            for module, lines in self.done
            if not any((module.path, line) in found for line in lines)
        )

    def did(self, module: Module, node: cst.CSTNode) -> None:
        """Note down that a place is migrated."""
        self.done.add((module, module.lines(node)))

    def add(self, module: Module, troubles: Iterable[Trouble], *, local: bool = False) -> None:
        """Note down what is to be left alone."""
        for code, line, message, today, choices in troubles:
            finding = Finding(module.path, line, code, message, today, choices, local)
            if finding not in self.findings:
                self.findings.append(finding)

    def note(self, module: Module, line: int, fields: Fields) -> None:
        """Note down what is carried over unread."""
        for note in fields.notes:
            self.notes.append(f"{module.path}:{line}: {note}")

    def need_re(self, module: Module, code: str) -> None:
        """See that what a text needs is imported."""
        if needs_re(code):
            self.drafts[module].need_re()

    def write(self, call: Call, code: str) -> None:
        """Put a call in the place of another."""
        self.did(call.module, call.node)
        self.need_re(call.module, code)
        draft = self.drafts[call.module]
        draft.replace(call.node, draft.wrapped(call.node, code, _WIDTH))

    def is_late(self, loader: Other, call: Call) -> bool:
        """Whether configuration is filled after a call for the app has read it."""
        node = loader.at or loader.node
        return (
            call in self.apps
            and loader.module is call.module
            and self.names.scope(loader.module, node) is self.names.scope(call.module, call.node)
            and loader.module.line(node) > call.line
        )

    def read_through(self, call: Call, options: Iterable[str]) -> dict[str, str]:
        """Fields whose keys may be in configuration that cannot be seen, and that would restrict
        what sites may send: the guard is given what Flask-CORS takes, where the call stands.

        :param options: those that are given, so that no key counts.
        """
        # Without options of its own, the call is written where CORS() stands, and has no app there.
        is_elsewhere = id(call) in self.bare_of and not call.options
        if call not in self.apps or is_elsewhere or not isinstance(call.target, cst.Name):
            return {}
        known = {*options, *self.settings.options()}
        return {
            option: f"{call.target.value}.config.get({arguments})"
            for option, arguments in _READ.items()
            if option not in known
            and not all(self.is_late(loader, call) for loader in self.places.loaders)
        }

    def _is_blueprint(self, call: Call) -> bool:
        return call.target is not None and self.places.is_blueprint(call.module, call.target)

    def _is_loop(self, call: Call) -> bool:
        """Whether what is given CORS is the variable of a loop."""
        bound = self.names.resolve(call.module, call.target) if call.target else None
        return bound is not None and isinstance(bound.node, (cst.For, cst.CompFor))
