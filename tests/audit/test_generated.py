"""A generated app of 500 routes and 40 policies, some of them with a mistake at a known line."""

import time
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple
from weakref import WeakValueDictionary

import pytest

from flask_corsguard.audit import Report, audit
from tests.audit.cases import told
from tests.loading import load_file

ROUTES = 500
BLUEPRINTS = 40
SECONDS = 10.0

ACT = 'allow_credentials=True, enforce="unsafe"'
# Policy fields as source, by what is wrong with them. Every route of a blueprint has its policy.
GOOD = (
    'origins="https://team-{n}.example.com"',
    'origins=["https://team-{n}.example.com", "http://localhost:*"], max_age=7200',
    'origins="https://*.team-{n}.example.com"',
    'origins=re.compile(r"https://pr-\\d+\\.team-{n}\\.example\\.com")',
    'origins=lambda origin: origin == "https://team-{n}.example.com"',
    'origins="https://team-{n}.example.com", allow_credentials=True, enforce="unsafe"',
    'origins="https://team-{n}.example.com", enforce="all"',
    'origins="*"',
)
BAD = {
    7: ("neighbour_allowed", 'origins=re.compile(r"https://.*team-{n}\\.example")'),
    9: ("neighbour_allowed", 'origins=re.compile(r"https://app.team-{n}\\.example")'),
    11: ("neighbour_allowed", 'origins=lambda origin: origin.endswith("team-{n}.example")'),
    13: ("neighbour_allowed", 'origins=lambda origin: "team-{n}.example" in origin'),
    14: ("neighbour_allowed", 'origins=re.compile(r"https://team-{n}\\.example.*")'),
    16: ("anybody_allowed", 'origins=re.compile(r"https?://.*")'),
    18: ("anybody_allowed", "origins=lambda origin: bool(origin)"),
    20: ("public_suffix_wildcard", 'origins="https://*.github.io"'),
    22: (
        "insecure_origin",
        'origins="http://team-{n}.example", dangerously_allow_insecure_origins=True, ' + ACT,
    ),
    24: ("null_allowed", 'origins="null", dangerously_allow_null_origin=True'),
    26: ("subdomains_with_credentials", 'origins="https://*.team-{n}.example", ' + ACT),
    28: ("credentials_without_enforce", 'origins="https://{n}.example", allow_credentials=True'),
    30: ("loopback_with_credentials", 'origins="http://localhost:*", ' + ACT),
    32: ("max_age_ignored", 'origins="https://team-{n}.example", max_age=86400'),
    34: ("check_failed", 'origins=lambda origin: re.match("https://team-{n}.example$", origin)'),
}
# Marks on single views of blueprints that are otherwise good.
BAD_VIEWS = {
    101: ("neighbour_allowed", 'origins=re.compile(r"https://app.shop\\.example")'),
    202: ("neighbour_allowed", 'origins=lambda origin: origin.startswith("https://shop.example")'),
    303: ("max_age_ignored", "max_age=86400"),
    404: ("public_suffix_wildcard", 'origins=re.compile(r"https://[a-z]+\\.vercel\\.app")'),
}
LOST_VIEW = 452
EXEMPT_VIEW = 461
RULES = (
    "/list-{i}",
    "/list-{i}/<int:number>",
    "/files-{i}/<path:name>",
    "/tags-{i}/<any(red, blue):colour>/",
    "/by-{i}/<uuid:key>/detail",
)
METHODS = ('["GET"]', '["GET", "POST"]', '["PUT", "DELETE"]', '["GET", "PATCH"]', '["POST"]')


class Written(NamedTuple):
    """The source of an app, and what is wrong with it: (code, line)."""

    source: str
    wrong: set[tuple[str, int]]


def write(with_mistakes: bool) -> Written:
    lines = [
        "import re",
        "from flask import Blueprint, Flask, request",
        "from flask_corsguard import CorsGuard, cors, cors_exempt",
        "calls = []",
        'app = Flask("generated", static_folder=None)',
        'guard = CorsGuard(app, origins="https://www.example.com")',
        "@app.before_request",
        "def before(): calls.append('before')",
        "@app.after_request",
        "def after(response): calls.append('after'); return response",
        "@app.teardown_request",
        "def teardown(error): calls.append('teardown')",
        "def logged(view):",
        "    def wrapper(*args, **kwargs): return view(*args, **kwargs)",
        "    return wrapper",
    ]
    wrong: set[tuple[str, int]] = set()

    def add(line: str, code: str = "") -> None:
        lines.append(line)
        if code:
            wrong.add((code, len(lines)))

    for n in range(BLUEPRINTS):
        code, fields = BAD[n] if with_mistakes and n in BAD else ("", GOOD[n % len(GOOD)])
        add(f'blueprint_{n} = Blueprint("blueprint_{n}", __name__, url_prefix="/team-{n}")')
        add(f"cors({fields.replace('{n}', str(n))})(blueprint_{n})", code)
    for i in range(ROUTES):
        rule = RULES[i % len(RULES)].replace("{i}", str(i))
        # Not in step with the rules and the blueprints, so that all of them meet.
        methods = METHODS[i * 7 // 3 % len(METHODS)]
        owner = i * 11 % BLUEPRINTS if i not in BAD_VIEWS else 1
        add(f'@blueprint_{owner}.route("{rule}", endpoint="view_{i}", methods={methods})')
        if with_mistakes and i in BAD_VIEWS:
            code, fields = BAD_VIEWS[i]
            add(f"@cors({fields})", code)
        if with_mistakes and i == LOST_VIEW:
            add("@logged")
            add('@cors(origins="https://one.example")', "lost_mark")
        if with_mistakes and i == EXEMPT_VIEW:
            add("@cors_exempt", "exempt_sends_own_headers")
        add(f"def view_{i}(**_):")
        add(f"    calls.append({i})")
        if with_mistakes and i == EXEMPT_VIEW:
            add("    return '', {'Access-Control-Allow-Origin': '*'}")
        else:
            add("    return ''")
    lines += [f"app.register_blueprint(blueprint_{n})" for n in range(BLUEPRINTS)]
    return Written("\n".join([*lines, ""]), wrong)


class Audited(NamedTuple):
    module: ModuleType
    wrong: set[tuple[str, int]]
    report: Report
    seconds: float
    progress: list[tuple[int, int]]


@pytest.fixture(scope="module", params=[True, False], ids=["with mistakes", "without"])
def audited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Audited]:
    source, wrong = write(request.param)
    path = tmp_path_factory.mktemp("generated") / "generated_app.py"
    path.write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flask_corsguard.decorators._targets", WeakValueDictionary())
        patch.setattr("flask_corsguard.decorators._returned", {})
        module = load_file(path, patch)
        progress: list[tuple[int, int]] = []
        started = time.process_time()
        report = audit(module.app, progress=lambda *told: progress.append(told))
        yield Audited(module, wrong, report, time.process_time() - started, progress)


@pytest.mark.slow
def test_what_is_wrong_is_found_in_time(audited: Audited) -> None:
    """Each mistake is found at its line, and nothing else is; and no view runs."""
    report = audited.report
    found = {(f.code, int(f.location.rpartition(":")[2])) for f in report.findings}
    assert found == audited.wrong, told(report)
    assert all("generated_app.py:" in f.location for f in report.findings)
    assert report.routes >= ROUTES
    assert report.attempts > ROUTES
    assert audited.seconds < SECONDS
    # Preflights are really sent, and what runs after the guard's response runs for them too.
    assert set(audited.module.calls) <= {"after", "teardown"}


@pytest.mark.slow
def test_findings_name_their_routes(audited: Audited) -> None:
    """A finding about a blueprint's policy names the routes of that blueprint."""
    for finding in audited.report.findings:
        assert finding.routes, finding.code
        if finding.source.startswith("blueprint "):
            number = finding.source.rpartition("blueprint_")[2].partition(" ")[0]
            assert {r.endpoint.partition(".")[0] for r in finding.routes} == {f"blueprint_{number}"}


@pytest.mark.slow
def test_progress_is_told(audited: Audited) -> None:
    """Progress never goes back, and ends with the number of all routes."""
    done = [number for number, _ in audited.progress]
    assert done == sorted(done)
    assert set(audited.progress) >= {(audited.report.routes,) * 2}
