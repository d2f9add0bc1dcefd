"""The demo as a user starts it, for tests in real browsers."""

import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from .browsers import Browser

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"

# Texts with a contrast below 4.5:1, https://www.w3.org/TR/WCAG22/#contrast-minimum
LOW_CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (text) => {
    const linear = (n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb(text).map((n) => linear(n / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
    for (; element; element = element.parentElement) {
        const color = getComputedStyle(element).backgroundColor;
        if (rgb(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
};
const hasText = (node) => node.nodeType === 3 && node.data.trim();
return [...document.querySelectorAll("body *")]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some(hasText))
    .filter((element) => {
        const pair = [getComputedStyle(element).color, ground(element)].map(light);
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05) < 4.5;
    })
    .map((element) => element.outerHTML.slice(0, 80));
"""


cases = SimpleNamespace(**runpy.run_path(str(DEMO / "cases.py")))

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
                urls += re.findall(r"http://\S+", line)
                if "Ctrl-C" in line:
                    break
            yield process, dict(zip(("other", "shop", "inspector"), urls, strict=True))
        finally:
            if process.poll() is None:
                written_by(process)


def written_by(process: subprocess.Popen[str]) -> list[str]:
    """End the demo as a user does; the lines that it has written since it began."""
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return [line for line in out.splitlines() if line]


IDLE = """
await new Promise((resolve) => {
    const look = () => { if (document.body.dataset.busy === "false") { resolve(); } };
    new MutationObserver(look).observe(document.body, {attributes: true});
    look();
});
"""


def open_page(browser: Browser, url: str) -> None:
    """Open a page of the demo, and wait until it has made its calls."""
    browser.open(url)
    browser.run(IDLE)


def press(browser: Browser, button: str) -> None:
    """Press a button, and wait until the page has done what it is for."""
    browser.run(f"document.getElementById('{button}').click(); {IDLE}")
