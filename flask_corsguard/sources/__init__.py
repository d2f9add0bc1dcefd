"""Origins that change while the app runs, in a file or a store."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask_corsguard.sources.deadline import seconds_left
    from flask_corsguard.sources.file_origins import FileOrigins
    from flask_corsguard.sources.redis_origins import RedisOrigins
    from flask_corsguard.sources.sql_origins import SQLOrigins
else:
    from flask_corsguard.lazy_names import load_on_use

    __getattr__, __dir__ = load_on_use(
        __name__,
        {
            "flask_corsguard.sources.deadline": ["seconds_left"],
            "flask_corsguard.sources.file_origins": ["FileOrigins"],
            "flask_corsguard.sources.redis_origins": ["RedisOrigins"],
            "flask_corsguard.sources.sql_origins": ["SQLOrigins"],
        },
    )

__all__ = ["FileOrigins", "RedisOrigins", "SQLOrigins", "seconds_left"]
