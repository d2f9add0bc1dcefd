"""Three real browsers, with the same methods.

There is no Selenium driver for Firefox in Debian, and none is needed: Firefox itself speaks
WebDriver BiDi, https://w3c.github.io/webdriver-bidi/.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .local_proxy import LocalProxy

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver as ChromeDriver
    from selenium.webdriver.remote.webdriver import WebDriver

TIMEOUT = 30

# What each browser and the look at the documentation need: programs on the PATH, and modules.
ENGINES = {
    "chromium": (("chromium", "chromedriver"), ("selenium",)),
    "firefox": (("firefox-esr",), ("websocket",)),
    "webkit": (("WebKitWebDriver", "Xvfb"), ("selenium",)),
}
PARTS = {**ENGINES, "documentation": ((), ("sphinx", "myst_parser", "furo", "sphinx_copybutton"))}

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A container's /dev/shm may be too small for the browser.
    "--disable-dev-shm-usage",
    # Any host is this machine, and nothing is asked of another.
    "--no-proxy-server",
    "--host-resolver-rules=MAP * 127.0.0.1",
    # Certificates of our own making.
    "--ignore-certificate-errors",
    # The same requests on every machine.
    "--lang=en-US",
)

PREFERENCES = {
    # The same.
    "network.dns.forceResolve": "127.0.0.1",
    "network.proxy.type": 0,
    # The same requests on every machine.
    "intl.accept_languages": "en-US, en",
}


UNTIL_LOADED = """
if (document.readyState !== "complete") {
    await new Promise((resolve) => addEventListener("load", resolve));
}
"""


def missing_parts(name: str) -> list[str]:
    programs, modules = PARTS[name]
    return [program for program in programs if shutil.which(program) is None] + [
        module for module in modules if importlib.util.find_spec(module) is None
    ]


class Driven:
    """What is the same for all that a Selenium driver drives."""

    driver: WebDriver

    def set_timeouts(self) -> None:
        self.driver.set_page_load_timeout(TIMEOUT)
        self.driver.set_script_timeout(TIMEOUT)

    @property
    def version(self) -> str:
        return str(self.driver.capabilities["browserVersion"])

    def open(self, url: str) -> None:
        """Go to a page, and wait until it has loaded."""
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of an async function in the open page; what it returns.

        The arguments are called ``arguments``. They and the result are what JSON can hold.
        """
        return self.driver.execute_script(
            f"return (async function () {{ {script}\n}}).apply(null, arguments)", *arguments
        )

    def follow(self, script: str, *arguments: Any) -> None:
        """Run a script that leaves the page, and wait until the next one has loaded."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.expected_conditions import staleness_of
        from selenium.webdriver.support.ui import WebDriverWait

        page = self.driver.find_element(By.TAG_NAME, "html")
        self.run(script, *arguments)
        WebDriverWait(self.driver, TIMEOUT).until(staleness_of(page))
        self.run(UNTIL_LOADED)


class Chromium(Driven):
    name = "chromium"

    driver: ChromeDriver

    def __init__(self, profile: Path, *arguments: str, logs: dict[str, str] | None = None) -> None:
        """:param logs: the levels of the logs that are kept, by their names."""
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*ARGUMENTS, *arguments):
            options.add_argument(argument)
        options.add_argument(f"--user-data-dir={profile}")
        options.set_capability("goog:loggingPrefs", logs or {})
        # With both paths given, selenium looks for nothing and downloads nothing.
        service = Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.set_timeouts()

    def forget_cookies(self) -> None:
        """Delete every cookie. No page need be open afterwards."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def close(self) -> None:
        self.driver.quit()


def emulate(
    driver: ChromeDriver, width: int, height: int, scheme: str = "light", **more: Any
) -> None:
    """Have Chromium be a screen of this size, with this preferred colour scheme."""
    size = {"width": width, "height": height}
    screen = {**size, "deviceScaleFactor": 1, "mobile": False, **more}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def stop_emulating(driver: ChromeDriver) -> None:
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def requested_urls(driver: ChromeDriver) -> list[str]:
    """All that Chromium has asked for since this was last called, if it keeps a log."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def complaints(driver: ChromeDriver) -> list[str]:
    """What Chromium has written to its console since this was last called."""
    return [entry["message"] for entry in driver.get_log("browser")]


class Firefox:
    name = "firefox"

    def __init__(self, profile: Path) -> None:
        import websocket

        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items())
        (profile / "user.js").write_text("".join(lines))
        self._last_id = 0
        options = ("--headless", "--remote-debugging-port=0", "--profile")
        with ExitStack() as stack:
            self._process = stack.enter_context(
                subprocess.Popen(
                    ["firefox-esr", *options, profile],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            )
            # Leaving the process's own context waits for its end.
            stack.callback(self._process.kill)
            address = self._find_address()
            self._socket = websocket.create_connection(
                f"{address}/session", timeout=TIMEOUT, suppress_origin=True
            )
            stack.callback(self._socket.close)
            # Certificates of our own making.
            wanted = {"alwaysMatch": {"acceptInsecureCerts": True}}
            session = self._call("session.new", capabilities=wanted)
            self.version = session["capabilities"]["browserVersion"]
            self._context = self._call("browsingContext.create", type="tab")["context"]
            self._stack = stack.pop_all()

    def _find_address(self) -> str:
        assert self._process.stderr is not None
        written: list[str] = []
        # Firefox ends by itself if it cannot start; a test's time limit ends the rest.
        for line in self._process.stderr:
            written.append(line)
            if found := re.search(r"ws://\S+", line):
                # Nobody reads what else it has to say, but it must not be kept from saying it.
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return found[0]
        raise RuntimeError(f"Firefox did not start: {''.join(written)}")

    def _call(self, method: str, **parameters: Any) -> Any:
        self._last_id += 1
        self._socket.send(json.dumps({"id": self._last_id, "method": method, "params": parameters}))
        answer = self._receive(id=self._last_id)
        if answer["type"] != "success":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def _receive(self, **wanted: Any) -> dict[str, Any]:
        """The next message with these members; those before it are dropped."""
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            if wanted.items() <= message.items():
                return message

    def open(self, url: str) -> None:
        self._call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def run(self, script: str, *arguments: Any) -> Any:
        answer = self._call(
            "script.callFunction",
            # BiDi has a notation of its own for values; JSON in a string needs none.
            functionDeclaration=(
                "async (text) => JSON.stringify("
                f"await (async function () {{ {script}\n}}).apply(null, JSON.parse(text)) ?? null)"
            ),
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def follow(self, script: str, *arguments: Any) -> None:
        load = "browsingContext.load"
        subscription = self._call("session.subscribe", events=[load], contexts=[self._context])
        self.run(script, *arguments)
        loaded = ""
        # Frames are reported as well.
        while loaded != self._context:
            loaded = self._receive(method=load)["params"]["context"]
        self._call("session.unsubscribe", subscriptions=[subscription["subscription"]])

    def forget_cookies(self) -> None:
        self._call("storage.deleteCookies")

    def close(self) -> None:
        with self._stack:
            self._call("browser.close")
            self._process.wait(TIMEOUT)


class WebKit(Driven):
    """WebKitGTK in its MiniBrowser. It keeps nothing: each session begins without cookies."""

    name = "webkit"

    def __init__(self) -> None:
        from selenium.webdriver.webkitgtk.service import Service

        with ExitStack() as stack:
            display = self._start_display(stack)
            self._proxy = stack.enter_context(LocalProxy())
            environment = {
                **os.environ,
                "DISPLAY": display,
                "LIBGL_ALWAYS_SOFTWARE": "1",
                # The same requests on every machine.
                "LC_ALL": "C",
            }
            self._service = Service(shutil.which("WebKitWebDriver"), env=environment)
            self._service.start()
            stack.callback(self._service.stop)
            self._start()
            self._stack = stack.pop_all()

    def _start_display(self, stack: ExitStack) -> str:
        """An X server on a free display; it says which."""
        reading, writing = os.pipe()
        with os.fdopen(reading) as answer:
            with os.fdopen(writing, "w"):
                process = stack.enter_context(
                    subprocess.Popen(
                        ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp"],
                        pass_fds=[writing],
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                )
            stack.callback(process.terminate)
            number = answer.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        return f":{number}"

    def _start(self) -> None:
        from selenium import webdriver
        from selenium.webdriver.remote.client_config import ClientConfig
        from selenium.webdriver.remote.remote_connection import RemoteConnection

        options = webdriver.WebKitGTKOptions()
        found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
        if not found:
            raise RuntimeError("WebKitGTK's MiniBrowser was not found")
        options.binary_location = str(found[-1])
        options.add_argument("--automation")
        # The driver has a capability for this, which is not heeded.
        options.add_argument(f"--proxy=socks5://127.0.0.1:{self._proxy.server_address[1]}")
        options.set_capability("acceptInsecureCerts", True)
        # Given an address, or left to its own class for this browser, selenium warns about itself.
        connection = RemoteConnection(client_config=ClientConfig(self._service.service_url))
        self.driver = webdriver.Remote(connection, options=options)
        self.set_timeouts()

    def forget_cookies(self) -> None:
        # Its driver deletes only those of the open page.
        self.driver.quit()
        self._start()

    def close(self) -> None:
        with self._stack:
            self.driver.quit()


Browser = Chromium | Firefox | WebKit
