"""The page: the same files, from an origin that the API allows and from one that it does not."""

from __future__ import annotations

from pathlib import Path

from api import create_api
from cases import ACCOUNTS, AMOUNT, CASES, LIVE, MISTAKES, Origins
from flask import Flask, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from flask_corsguard import CorsGuard, PolicyError

STATIC = Path(__file__).with_name("static")


def create_apps(origins: Origins, folder: Path) -> tuple[Flask, ...]:
    """The apps of the demo, in the order of their origins.

    :param folder: for the file that lists who may read ``GET /offers``.
    """
    readers = folder / "readers.txt"
    write_readers(readers, origins.shop)
    return (
        create_page("shop", origins, readers),
        create_page("other", origins, readers),
        create_api(origins, readers),
    )


def create_page(page: str, origins: Origins, readers: Path) -> Flask:
    """Build the server of one page.

    :param page: ``"shop"`` or ``"other"``.
    :param readers: the file that the button changes.
    """
    app = Flask(f"demo_{page}", static_folder=STATIC, template_folder=STATIC)
    own: str = getattr(origins, page)
    # The log in the terminal is the API's.
    app.config["CORSGUARD_LOG_REJECTIONS"] = False
    # No page but this server's own can press the button.
    CorsGuard(app, enforce="unsafe")

    @app.before_request
    def check_host() -> None:
        # Another site can point its own name to this machine, and then has this page's origin.
        if request.host_url != f"{own}/":
            abort(400, "Open the address that the demo prints.")

    @app.get("/")
    def index() -> ResponseReturnValue:
        return render_template(
            "index.html",
            page=page,
            origins=origins,
            accounts=ACCOUNTS,
            amount=AMOUNT,
            cases=[case for case in CASES if page in case.expected],
            live=[LIVE] if page in LIVE.expected else [],
            mistakes=MISTAKES,
        )

    @app.get("/start")
    def start() -> ResponseReturnValue:
        return {"message": started_with(request.args.get("origin", "")[:320])}

    if page in LIVE.expected:

        @app.post("/readers")
        def change_readers() -> ResponseReturnValue:
            is_listed = own in readers.read_text().split()
            write_readers(readers, origins.shop, *([] if is_listed else [own]))
            return {"listed": not is_listed}

    @app.after_request
    def restrict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src {own}; style-src {own}; img-src data:; connect-src"
            f" {own} {origins.api}; frame-src {own} {origins.api}; form-action {origins.api};"
            " base-uri 'none'"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    return app


def started_with(origin: str) -> str:
    """What happens to an app that starts with *origin* in its policy."""
    try:
        CorsGuard(Flask("started"), origins=[origin])
    except PolicyError as error:
        return str(error)
    return "The app starts: there is nothing wrong with this origin."


def write_readers(file: Path, *origins: str) -> None:
    """Write the file of origins in one step, so that no reader sees half of it."""
    new = file.with_suffix(".new")
    new.write_text("".join(f"{origin}\n" for origin in origins))
    # Whatever the umask: FileOrigins reads no file that others may write to.
    new.chmod(0o600)
    new.replace(file)
