"""The npm packages that recipes are compared with, installed on first use."""

import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from ..listening import ROOT, do_without

LISTED = Path(__file__).with_name("node")
# Git knows of nothing in it.
BUILD = ROOT / "build"


@cache
def node_modules() -> Path:
    """The directory that they are in; it is made anew where the lock file is another."""
    locked = (LISTED / "package-lock.json").read_bytes()
    place = BUILD / f"node-{hashlib.sha256(locked).hexdigest()[:16]}"
    if not place.exists():
        BUILD.mkdir(exist_ok=True)
        _install(place)
    return place / "node_modules"


def _install(place: Path) -> None:
    """Install aside and then move, so that what stands there is whole, whoever else installs."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        aside = Path(name) / "node"
        shutil.copytree(LISTED, aside)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)
        if done.returncode:
            do_without(f"npm has not installed the packages: {done.stderr[:500]}")
        try:
            aside.rename(place)
        except OSError:
            if not place.exists():
                raise
