"""Nothing that the guard keeps grows without end. ``make soak`` asks longer, with the real limits,
and looks at the memory of the process as well."""

from contextlib import nullcontext

import pytest

from .soaking import Soak
from .traffic import PATHS, PATHS_REMEMBERED

LIMIT = 200
LIMITS = (
    "flask_corsguard.runtime.decision_cache.MOST_DECISIONS",
    "flask_corsguard.logging.MOST_REMEMBERED",
)
# Far more made-up origins, paths, methods and lists of headers than may be kept.
REQUESTS = 6_000
LOOKS = 10
MOST_OBJECTS = 40_000


@pytest.mark.parametrize("is_watched", [False, True], ids=["unwatched", "watched"])
def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch, is_watched: bool) -> None:
    for name in LIMITS:
        monkeypatch.setattr(name, LIMIT)
    soak = Soak(PATHS_REMEMBERED, has_report_only=is_watched)
    largest: dict[str, int] = {}
    with soak.watched() if is_watched else nullcontext():
        soak.go_on(10)
        first = soak.kept().entries
        for _ in range(LOOKS):
            soak.go_on(REQUESTS // LOOKS)
            found = soak.kept()
            assert found.objects < MOST_OBJECTS
            for place, entries in found.entries.items():
                largest[place] = max(entries, largest.get(place, 0))
    # Read from a file, once.
    largest.pop("flask_corsguard.protocol.publicsuffix._suffixes_below[][]", None)
    # What was there at first can be of apps that other tests in this process have left.
    grown = {place: n - first.get(place, 0) for place, n in largest.items()}
    assert {place: n for place, n in grown.items() if n > LIMIT} == {}
    # The requests were of a kind to fill the decision cache, and what the log keeps quiet.
    filled = {place for place, n in grown.items() if n > LIMIT // 2}
    assert len(filled) >= 2


def test_requests_of_every_kind() -> None:
    soak = Soak(PATHS, has_report_only=True)
    with soak.watched():
        soak.go_on(1000)
    assert set(soak.statuses) == {"200", "204", "403", "404", "405"}
    assert set(soak.heard) == {"origin-allowed", "origin-rejected", "preflight-rejected"}
    assert soak.lines > 250
