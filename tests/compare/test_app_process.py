"""Apps in processes of their own, whatever they do."""

import os
import py_compile
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flask_corsguard.compare.app_process import AppProcess, AppProcessError
from flask_corsguard.compare.differences import compare
from flask_corsguard.compare.messages import Ask

A = "https://a.example"
SHOP = """\
from flask import Flask
from flask_corsguard import CorsGuard
import settings

app = Flask(__name__, static_folder=None)
app.config.from_pyfile("shop.cfg")
guard = CorsGuard(app, origins=settings.ORIGINS)
guard.for_path("/api", origins=app.config["API"])

@app.get("/api")
def api(): return ""
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An app in two modules and a file of configuration."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "settings.py").write_text(f"ORIGINS = ['{A}']\n")
    (tmp_path / "shop.cfg").write_text("API = 'https://api.example'\n")
    return tmp_path


def origins(app: str, **options: Any) -> set[str]:
    with AppProcess(app, **options) as process:
        return {origin for listed in process.description.origins for origin in listed}


def test_two_modules_of_one_name(tmp_path: Path) -> None:
    apps = []
    for name, origin in (("old", A), ("new", "https://b.example")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.py").write_text(
            "from flask import Flask\nfrom flask_corsguard import CorsGuard\nprint('loaded')\n"
            "def create_app(origin):\n    app = Flask('shop', static_folder=None)\n"
            "    CorsGuard(app, origins=origin)\n    return app\n"
        )
        apps.append(f"{tmp_path / name / 'shop.py'}:create_app({origin!r})")
    with AppProcess(apps[0]) as before, AppProcess(apps[1]) as after:
        comparison = compare(before, after, seconds=60)
    assert {(each.kind, each.pages) for each in comparison.differences} == {
        ("narrower", (A,)),
        ("wider", ("https://b.example",)),
    }
    assert comparison.requests > 0


def test_an_overlay(shop: Path) -> None:
    """The text is read instead of the file's, even where the file's code is in a cache."""
    app = str(shop / "shop.py")
    py_compile.compile(str(shop / "settings.py"))
    assert origins(app) == {A, "https://api.example"}
    overlay = {
        shop
        / "settings.py": b"# -*- coding: latin-1 -*-\nORIGINS = ['https://b.example'] # \xe9\n",
        shop / "shop.cfg": b"API = 'https://c.example'\n",
    }
    assert origins(app, overlay=overlay) == {"https://b.example", "https://c.example"}
    assert origins(app) == {A, "https://api.example"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "Failed to find Flask application or factory in module 'shop'."),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("1 / 0", "it cannot be loaded: ZeroDivisionError 'division by zero' at "),
        ("raise SystemExit(3)", "it ended the process while it was loaded: SystemExit '3' at "),
        ("import os; os._exit(3)", "its process ended while it was loaded"),
        ("raise KeyboardInterrupt", "it cannot be loaded: KeyboardInterrupt "),
        (
            "from flask import Flask; from flask_corsguard import CorsGuard, cors\n"
            "app = Flask(__name__); CorsGuard(app)\n"
            "app.add_url_rule('/', view_func=cors('nobody')(lambda: ''))",
            "'nobody'",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded(tmp_path: Path, code: str, message: str) -> None:
    file = tmp_path / "shop.py"
    file.write_text(f"{code}\n")
    with pytest.raises(AppProcessError) as raised:
        origins(str(file))
    assert str(raised.value).startswith(f"{file}: ")
    assert message in str(raised.value)


def test_an_app_that_hangs_while_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_corsguard.compare.app_process._LONGEST_LOADING", 3)
    (tmp_path / "shop.py").write_text("import time; time.sleep(1000)")
    with AppProcess(str(tmp_path / "shop.py")) as process, pytest.raises(AppProcessError) as raised:
        _ = process.description
    assert str(raised.value).endswith("shop.py: no response for 3 s while it was loaded")


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """Neither the process, whose threads go on, nor what the app has started."""
    (tmp_path / "shop.py").write_text(
        "import os, pathlib, subprocess, sys, threading, time\n"
        "from flask import Flask\n"
        "app = Flask(__name__, static_folder=None)\n"
        "threading.Thread(target=time.sleep, args=[1000]).start()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "pathlib.Path(__file__).with_name('pids').write_text(f'{os.getpid()} {child.pid}')\n"
        "app.run()\n"  # which does nothing here
    )
    with AppProcess(str(tmp_path / "shop.py")) as process:
        assert process.description.unreachable == ()
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(map(is_running, pids))
    until = time.monotonic() + 10  # what is killed does not end at once on a busy machine
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(is_running, pids))


def test_the_process_ends_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os, pathlib, time\n"
        "pathlib.Path(__file__).with_name('pid').write_text(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    code = (
        "from flask_corsguard.compare.app_process import AppProcess\n"
        "with AppProcess('shop.py') as process: process.description\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    pid_file = tmp_path / "pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    pid = int(pid_file.read_text())
    wait_for(lambda: not is_running(pid))


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_view_that_takes_the_process_along(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os\nfrom flask import Flask\napp = Flask(__name__, static_folder=None)\n"
        "app.add_url_rule('/off', 'off', lambda: os._exit(0))\n"
    )
    with AppProcess(str(tmp_path / "shop.py")) as process:
        asks = process.ask([Ask(url.url, "GET", "") for url in process.description.urls])
        with pytest.raises(AppProcessError, match="its process ended at GET https://localhost/off"):
            list(asks)


def test_what_the_app_prints_and_reads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It goes to the standard error while the app is loaded, and nowhere later."""
    (tmp_path / "shop.py").write_text(
        "import os, sys\nfrom flask import Flask\napp = Flask(__name__, static_folder=None)\n"
        "os.write(1, b'raw ')\nprint(sys.argv, repr(sys.stdin.read()))\n"
        "@app.get('/')\ndef index():\n    print('later'); os.write(2, b'later'); 1 / 0\n"
    )
    with AppProcess(str(tmp_path / "shop.py")) as process:
        _ = process.description
        ((seen, _),) = process.ask([Ask("https://localhost/", "GET", "")])
        assert (seen.status, process.spent > 0) == (500, True)
    assert capfd.readouterr() == ("", "raw ['flask'] ''\n")


def test_what_is_watched(shop: Path) -> None:
    """A function is called before the app is loaded, and what it returned comes along."""
    (shop / "watcher.py").write_text(
        "seen = []\n"
        "class Watched(list):\n    def __reduce__(self): return list, (list(self),)\n"
        "    def loaded(self, app): self.append(app.name)\n"
        "def watch():\n    import sys\n    return Watched(['shop' in sys.modules])\n"
    )
    command = [
        "import sys; sys.path.insert(0, '.')",
        "from flask_corsguard.compare.app_process import AppProcess",
        "with AppProcess('shop.py', watch='watcher:watch') as process:",
        "    print(process.description.watched)",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(command)], cwd=shop, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (0, "[False, 'shop']\n"), ran.stderr
