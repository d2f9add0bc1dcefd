"""What tests/data/verdicts.json says of real browsers, asked again of a sample of its cases."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.nightly import IS_NIGHTLY

from .browsers import ENGINES, Browser
from .conftest import REQUIRED
from .player import Player
from .raw_server import Servers
from .verdicts import Case, load

pytestmark = pytest.mark.browser

DATA = load()
# Of each group, one case in so many.
EVERY = 5 if IS_NIGHTLY else 20


def sample() -> list[Case]:
    """Some cases of each group, beginning with its first."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in DATA["cases"]:
        groups[case["group"]].append(case)
    return [case for cases in groups.values() for case in cases[::EVERY]]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    if not REQUIRED:
        pytest.importorskip("trustme")
    with Servers(DATA["servers"]) as servers:
        yield servers


@pytest.mark.parametrize("engine", ENGINES)
def test_sample(request: pytest.FixtureRequest, servers: Servers, engine: str) -> None:
    browser: Browser = request.getfixturevalue(engine)
    player = Player(browser, servers)
    differences = []
    for case in sample():
        seen, expected = player.play(case), case["seen"][engine]
        if seen != expected:
            differences.append(f"{case['id']} {case['name']}\n  file: {expected}\n  now:  {seen}")
    assert not differences, f"{engine} {browser.version}:\n" + "\n".join(differences)
