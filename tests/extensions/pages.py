"""What makes pages, for people."""

from typing import Any

from flask import Flask

from .extension import EVIL, Extension, Page, Scope

BROWSER = {"Accept": "text/html"}


def flask_admin(app: Flask) -> Scope:
    from flask_admin import Admin, BaseView, expose
    from flask_babel import Babel

    app.secret_key = "secret"
    if "babel" not in app.extensions:
        Babel(app)  # where it is installed, Flask-Admin uses it
    admin = Admin(app, name="Shop")

    class Report(BaseView):  # type: ignore[misc]
        @expose("/")
        def index(self) -> str:
            return "a report"

        @expose("/run", methods=["POST"])
        def run(self) -> str:
            return "run"

    admin.add_view(Report(name="Report"))
    return {"admin": admin}


def keeps_others_out(page: Page) -> None:
    own = Page(page.application, None)
    assert "Shop" in own.send("GET", "/admin/").text
    assert own.send("POST", "/admin/report/run").text == "run"
    # Not even the origin that may read the rest of the app.
    assert "Access-Control-Allow-Origin" not in page.send("GET", "/admin/report/").headers
    page.send("POST", "/admin/report/run", 403)
    page.preflight("/admin/report/run", "POST", status=403)


def flask_debugtoolbar(app: Flask) -> Scope:
    from flask_debugtoolbar import DebugToolbarExtension

    app.secret_key = "secret"
    app.config.update(DEBUG_TB_ENABLED=True, DEBUG_TB_INTERCEPT_REDIRECTS=False)
    toolbar = DebugToolbarExtension(app)
    app.add_url_rule("/page", "page", lambda: "<html><body>a page</body></html>")
    return {"toolbar": toolbar}


def shows_itself(page: Page) -> None:
    assert 'id="flDebug"' in page.read("GET", "/page").text


def flask_babel(app: Flask) -> Scope:
    from flask import request
    from flask_babel import Babel, format_decimal

    select = lambda: request.accept_languages.best_match(["en", "de"])  # noqa: E731
    babel = Babel(app, locale_selector=select)
    app.add_url_rule("/price", "price", lambda: format_decimal(1234.5))
    return {"babel": babel}


def speaks_german(page: Page) -> None:
    assert page.read("GET", "/price").text == "1,234.5"
    assert page.read("GET", "/price", headers={"Accept-Language": "de"}).text == "1.234,5"


def flask_appbuilder(app: Flask) -> Scope:
    from flask_appbuilder import AppBuilder
    from flask_appbuilder.api import BaseApi, expose, protect, safe
    from flask_appbuilder.models.sqla.base import SQLA

    app.secret_key = "secret"
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", WTF_CSRF_ENABLED=False)
    db = SQLA(app)

    class Stock(BaseApi):  # type: ignore[misc]
        @expose("/count")
        @protect()
        @safe
        def count(self) -> Any:
            return self.response(200, count=7)

    with app.app_context():
        appbuilder = AppBuilder(app, db.session)
        appbuilder.add_api(Stock)
        manager = appbuilder.sm
        admin = manager.find_role("Admin")
        manager.add_user("ada", "Ada", "L", "ada@example.com", admin, "letmein")
        engine = db.engine
    return {"appbuilder": appbuilder, "close": engine.dispose}


def signs_in_to_its_api(page: Page) -> None:
    page.preflight("/api/v1/security/login", "POST", "Content-Type")
    body = {"username": "ada", "password": "letmein", "provider": "db"}
    page.read("POST", "/api/v1/security/login", 401, json={**body, "password": "wrong"})
    login = page.read("POST", "/api/v1/security/login", json=body).json
    assert login is not None
    page.preflight("/api/v1/stock/count", "GET", "Authorization")
    headers = {"Authorization": f"Bearer {login['access_token']}"}
    assert page.read("GET", "/api/v1/stock/count", headers=headers).json == {"count": 7}


def dash(app: Flask) -> Scope:
    from dash import Dash, Input, Output, html

    dashboard = Dash(
        "shop", server=app, url_base_pathname="/dash/", suppress_callback_exceptions=True
    )
    dashboard.layout = html.Div([html.Button(id="button"), html.Div(id="out")])

    @dashboard.callback(Output("out", "children"), Input("button", "n_clicks"))
    def clicked(clicks: int) -> str:
        return f"{clicks} clicks"

    return {"dashboard": dashboard}


CLICK = {
    "output": "out.children",
    "outputs": {"id": "out", "property": "children"},
    "inputs": [{"id": "button", "property": "n_clicks", "value": 3}],
    "changedPropIds": ["button.n_clicks"],
}


def answers_its_own_page(page: Page) -> None:
    own = Page(page.application, None)
    assert "_dash-config" in own.send("GET", "/dash/", headers=BROWSER).text
    assert "button" in own.send("GET", "/dash/_dash-layout").text
    response = own.send("POST", "/dash/_dash-update-component", json=CLICK)
    assert "3 clicks" in response.text
    headers = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    own.send("POST", "/dash/_dash-update-component", 403, json=CLICK, headers=headers)


COOKIE = frozenset({"Cookie"})

EXTENSIONS = [
    Extension(
        "Flask-Admin", ("flask_admin", "flask_babel"), flask_admin, keeps_others_out, vary=COOKIE
    ),
    Extension("Flask-DebugToolbar", ("flask_debugtoolbar",), flask_debugtoolbar, shows_itself),
    Extension("Flask-Babel", ("flask_babel",), flask_babel, speaks_german),
    Extension(
        "Flask-AppBuilder",
        ("flask_appbuilder",),
        flask_appbuilder,
        signs_in_to_its_api,
        (("GET", "/api/v1/stock/count", 401),),
        vary=COOKIE,
    ),
    Extension("Dash", ("dash",), dash, answers_its_own_page),
]
