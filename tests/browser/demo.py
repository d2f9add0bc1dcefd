"""The demo as a user starts it, for tests in real browsers."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from .browsers import Browser

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"

UNTIL_DONE = """
await new Promise((resolve) => {
    const look = () => { if (document.body.dataset.done === "true") { resolve(); } };
    new MutationObserver(look).observe(document.body, {attributes: true});
    look();
});
"""


def load_cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_cases", DEMO / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()


Demo = tuple[subprocess.Popen[str], dict[str, str]]


@contextmanager
def running_demo() -> Iterator[Demo]:
    """The demo as a user starts it, and the URLs that it prints."""
    with subprocess.Popen(
        [sys.executable, DEMO], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            urls: list[str] = []
            for line in process.stdout:
                urls += re.findall(r"http://localhost:\d+/", line)
                if line.startswith("Ctrl-C"):
                    break
            yield process, dict(zip(("api", "allowed", "stranger"), urls, strict=True))
        finally:
            process.send_signal(signal.SIGINT)


def open_page(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.run(UNTIL_DONE)


def low_contrast(browser: Browser) -> list[str]:
    """Texts with a contrast below 4.5:1, https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    found: list[str] = browser.run(
        """
        const parts = (color) => color.match(/[\\d.]+/g).map(Number);
        const luminance = (color) => {
            const [r, g, b] = parts(color).map((part) => {
                const share = part / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = (element) => {
            if (!element) { return "rgb(255, 255, 255)"; }
            const color = getComputedStyle(element).backgroundColor;
            return parts(color)[3] === 0 ? ground(element.parentElement) : color;
        };
        return [...document.querySelectorAll("body *")]
            .filter((element) => element.innerText && !element.children.length)
            .filter((element) => {
                const pair = [getComputedStyle(element).color, ground(element)].map(luminance);
                const [dark, light] = pair.sort((a, b) => a - b);
                return (light + 0.05) / (dark + 0.05) < 4.5;
            })
            .map((element) => element.innerText);
        """
    )
    return found
