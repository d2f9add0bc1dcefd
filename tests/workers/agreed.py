"""What the app that is served and its tests agree on."""

STATIC = "https://static.example"

# In seconds, what sources are given. A busy machine needs more than the default deadline, except
# where the store is never in time.
REFRESH = 1.0
OFTEN = 0.3
DEADLINE = 4.0
SLOW_DEADLINE = 0.6
STALE_AFTER = 2.0


def listed(source: str, number: int = 1) -> str:
    """An origin that only this source may list."""
    return f"https://{source.replace('/', '-')}-{number}.example"
