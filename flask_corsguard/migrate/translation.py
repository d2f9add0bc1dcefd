"""What becomes of the modules that belong to one app, or of none of them.

Where one place that governs an app is left alone, all of its places are: the guard owns the CORS
headers of the app that it is on, so that Flask-CORS beside it would count for nothing.
"""

from __future__ import annotations

from flask_corsguard.migrate.decorators import is_lost
from flask_corsguard.migrate.defaults import do_app, do_settings
from flask_corsguard.migrate.marking import add_guards, do_blueprint, do_mark
from flask_corsguard.migrate.obstacles import (
    check_conditions,
    check_loaders,
    check_others,
    check_several,
    check_targets,
)
from flask_corsguard.migrate.places import Places
from flask_corsguard.migrate.preflights import check_preflights
from flask_corsguard.migrate.values import quoted
from flask_corsguard.migrate.work import Work


def translate_places(places: Places) -> Work:
    """Translate the places of some modules that belong together."""
    work = Work(places)
    uses = [places.calls, places.bare, places.inits, places.marks, places.others]
    # Where the migration was done already, what it left alone may still be there.
    if any(uses) or any("flask_corsguard" in module.tree.code for module in places.modules):
        _translate(work)
    return work


def _translate(work: Work) -> None:
    check_others(work)
    check_preflights(work)
    check_targets(work)
    check_several(work)
    marks = [mark for mark in work.places.marks if not is_lost(work, mark)]
    has_marks = bool(marks or work.blueprints)
    check_conditions(work, has_marks=has_marks)
    apps = [*work.apps, *work.unattached()]
    check_loaders(work, [*apps, *(mark.call for mark in marks)])
    do_settings(work)
    # From the outside in: a mark undoes what applies further out.
    for call in apps:
        do_app(work, call)
    for call in work.blueprints:
        do_blueprint(work, call)
    for mark in marks:
        do_mark(work, mark)
    if has_marks:
        add_guards(work)
    for module, node in work.places.loggers:
        name = str(node.evaluated_value).partition(".")[0]
        work.drafts[module].replace(node, quoted(name.replace("flask_cors", "flask_corsguard")))
