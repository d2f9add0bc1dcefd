"""CORS for Flask: policies that are checked before they can hurt, and rejections that say why."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask_corsguard.decorators import cors, cors_exempt
    from flask_corsguard.errors import CorsGuardError, PolicyError, Problem
    from flask_corsguard.extension import CorsGuard
    from flask_corsguard.protocol.decision import Decision
    from flask_corsguard.protocol.policy import Policy
    from flask_corsguard.protocol.reasons import Outcome, Reason
    from flask_corsguard.runtime.state import current_decision
    from flask_corsguard.signals import (
        origin_allowed,
        origin_rejected,
        preflight_rejected,
        settings_rejected,
        source_failed,
        source_refreshed,
    )
else:
    # pytest imports this package in every run, for its plugin: Flask is loaded with the first name.
    from flask_corsguard.lazy_names import load_on_use

    __getattr__, __dir__ = load_on_use(
        __name__,
        {
            "flask_corsguard.decorators": ["cors", "cors_exempt"],
            "flask_corsguard.errors": ["CorsGuardError", "PolicyError", "Problem"],
            "flask_corsguard.extension": ["CorsGuard"],
            "flask_corsguard.protocol.decision": ["Decision"],
            "flask_corsguard.protocol.policy": ["Policy"],
            "flask_corsguard.protocol.reasons": ["Outcome", "Reason"],
            "flask_corsguard.runtime.state": ["current_decision"],
            "flask_corsguard.signals": [
                "origin_allowed",
                "origin_rejected",
                "preflight_rejected",
                "settings_rejected",
                "source_failed",
                "source_refreshed",
            ],
        },
        {
            "CORS": "Write CorsGuard(app, origins=[...]), or import CORS from"
            " flask_corsguard.compat, which takes Flask-CORS's options.",
            "cross_origin": "Write @cors(origins=[...]), or import cross_origin from"
            " flask_corsguard.compat, which takes Flask-CORS's options.",
            "exempt": "Import cors_exempt, and write @cors_exempt above the view.",
            "FileOrigins": "Write: from flask_corsguard.sources import FileOrigins",
            "RedisOrigins": "Write: from flask_corsguard.sources import RedisOrigins",
            "SQLOrigins": "Write: from flask_corsguard.sources import SQLOrigins",
            "Browser": "Write: from flask_corsguard.testing import Browser",
            "register": "Write: from flask_corsguard.metrics import register",
            "app": "If it is in a file of your own, rename it: its name is this package's.",
            "create_app": "If it is in a file of your own, rename it: its name is this package's.",
        },
    )

__all__ = [
    "CorsGuard",
    "CorsGuardError",
    "Decision",
    "Outcome",
    "Policy",
    "PolicyError",
    "Problem",
    "Reason",
    "cors",
    "cors_exempt",
    "current_decision",
    "origin_allowed",
    "origin_rejected",
    "preflight_rejected",
    "settings_rejected",
    "source_failed",
    "source_refreshed",
]

__version__ = "0.1.0"
