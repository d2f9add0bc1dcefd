"""Who is signed in: with a cookie, a token, a header."""

import base64
from typing import Any

from flask import Flask, request, session

from .extension import APP, EVIL, Extension, Page, Scope

SIGNED_IN = {"Authorization": "Bearer letmein"}


def flask_login(app: Flask) -> Scope:
    import flask_login

    app.secret_key = "secret"
    login_manager = flask_login.LoginManager(app)

    @login_manager.user_loader
    def load_user(user_id: str) -> flask_login.UserMixin:
        user = flask_login.UserMixin()
        user.id = user_id
        return user

    @app.post("/login")
    def login() -> str:
        flask_login.login_user(load_user("ada"))
        return "signed in"

    @app.route("/account", methods=["GET", "PUT"])
    @flask_login.login_required
    def account() -> str:
        return str(flask_login.current_user.id)

    return {"login_manager": login_manager}


def signs_in(page: Page) -> None:
    page.read("GET", "/account", 401)
    page.preflight("/account", "PUT")
    Page(page.application, EVIL).send("POST", "/login", 403)
    assert "Set-Cookie" in page.read("POST", "/login").headers
    response = page.read("GET", "/account")
    assert response.text == "ada"
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    # Another site's page, in the same browser.
    page.origin = EVIL
    page.send("POST", "/login", 403)
    assert "Access-Control-Allow-Origin" not in page.send("GET", "/account").headers


def flask_jwt_extended(app: Flask) -> Scope:
    from flask_jwt_extended import (
        JWTManager,
        create_access_token,
        get_jwt_identity,
        jwt_required,
    )

    app.config["JWT_SECRET_KEY"] = "a secret of at least thirty-two bytes"
    jwt = JWTManager(app)
    app.add_url_rule("/login", "login", lambda: create_access_token("ada"), methods=["POST"])
    app.add_url_rule("/account", "account", jwt_required()(get_jwt_identity))
    return {"jwt": jwt}


def takes_a_token(page: Page) -> None:
    token = page.read("POST", "/login").text
    page.preflight("/account", "GET", "Authorization")
    page.read("GET", "/account", 422, headers={"Authorization": "Bearer made-up"})
    headers = {"Authorization": f"Bearer {token}"}
    assert page.read("GET", "/account", headers=headers).text == "ada"


def flask_wtf(app: Flask) -> Scope:
    from flask_wtf import CSRFProtect
    from flask_wtf.csrf import generate_csrf

    app.secret_key = "secret"
    csrf = CSRFProtect(app)
    app.add_url_rule("/token", "token", generate_csrf)
    app.add_url_rule("/order", "order", lambda: "ordered", methods=["POST"])
    return {"csrf": csrf}


def wants_its_token(page: Page) -> None:
    token = page.read("GET", "/token").text
    page.preflight("/order", "POST", "X-CSRFToken")
    page.read("POST", "/order", 400)
    headers = {"X-CSRFToken": token, "Referer": f"{APP}/"}
    config = page.application.config
    config["WTF_CSRF_SSL_STRICT"] = True
    page.read("POST", "/order", 400, headers=headers)
    config["WTF_CSRF_SSL_STRICT"] = False
    assert page.read("POST", "/order", headers=headers).text == "ordered"


def flask_httpauth(app: Flask) -> Scope:
    from flask_httpauth import HTTPBasicAuth

    auth = HTTPBasicAuth()
    auth.verify_password(lambda name, password: name if password == "letmein" else None)
    app.add_url_rule("/account", "account", auth.login_required(lambda: str(auth.current_user())))
    return {"auth": auth}


def takes_a_password(page: Page) -> None:
    page.preflight("/account", "GET", "Authorization")
    assert page.read("GET", "/account", 401).headers["WWW-Authenticate"].startswith("Basic")
    coded = base64.b64encode(b"ada:letmein").decode()
    headers = {"Authorization": f"Basic {coded}"}
    assert page.read("GET", "/account", headers=headers).text == "ada"


def flask_principal(app: Flask) -> Scope:
    from flask_principal import (
        Identity,
        Permission,
        Principal,
        RoleNeed,
        identity_changed,
        identity_loaded,
    )

    app.secret_key = "secret"
    principals = Principal(app)
    editor = Permission(RoleNeed("editor"))

    @identity_loaded.connect_via(app)
    def loaded(sender: Flask, identity: Any) -> None:
        if identity.id == "ada":
            identity.provides.add(RoleNeed("editor"))

    @app.post("/login")
    def login() -> str:
        identity_changed.send(app, identity=Identity("ada"))
        return "signed in"

    app.add_url_rule("/account", "account", editor.require(403)(lambda: "ada"))
    # The signal knows its receivers weakly.
    return {"principals": principals, "loaded": app.extensions.setdefault("loaded", loaded)}


def has_a_role(page: Page) -> None:
    page.read("POST", "/login")
    assert page.read("GET", "/account").text == "ada"


def flask_security(app: Flask) -> Scope:
    from flask_security import Security, SQLAlchemyUserDatastore, auth_required, hash_password
    from flask_security.models import fsqla_v3
    from flask_sqlalchemy import SQLAlchemy

    app.secret_key = "secret"
    app.config.update(
        SECURITY_PASSWORD_SALT="salt",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_PASSWORD_SINGLE_HASH=True,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SQLALCHEMY_DATABASE_URI="sqlite://",
        WTF_CSRF_ENABLED=False,
    )
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)
    role = type("Role", (db.Model, fsqla_v3.FsRoleMixin), {})
    user = type("User", (db.Model, fsqla_v3.FsUserMixin), {})
    users = SQLAlchemyUserDatastore(db, user, role)
    security = Security(app, users)
    app.add_url_rule("/account", "account", auth_required("token", "session")(lambda: "ada"))
    with app.app_context():
        db.create_all()
        users.create_user(email="ada@example.com", password=hash_password("letmein"))
        db.session.commit()
        engine = db.engine
    return {"security": security, "close": engine.dispose}


def signs_in_for_a_token(page: Page) -> None:
    body = {"email": "ada@example.com", "password": "letmein"}
    json = {"Accept": "application/json"}
    page.preflight("/login", "POST", "Content-Type")
    Page(page.application, EVIL).send("POST", "/login", 403, json=body)
    page.read("POST", "/login", 400, json={**body, "password": "wrong"}, headers=json)
    response = page.read("POST", "/login?include_auth_token", json=body, headers=json)
    token = response.json["response"]["user"]["authentication_token"]  # type: ignore[index]
    without_cookies = Page(page.application)
    assert "/login" in without_cookies.read("GET", "/account", 302).headers["Location"]
    without_cookies.preflight("/account", "GET", "Authentication-Token")
    headers = {"Authentication-Token": token}
    assert without_cookies.read("GET", "/account", headers=headers).text == "ada"


def flask_session(app: Flask) -> Scope:
    from cachelib import SimpleCache
    from flask_session import Session

    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=SimpleCache())
    Session(app)

    @app.route("/cart", methods=["GET", "POST"])
    def cart() -> list[str]:
        if request.method == "POST":
            session["cart"] = [*session.get("cart", []), request.get_data(as_text=True)]
        found: list[str] = session.get("cart", [])
        return found

    return {}


def keeps_a_cart(page: Page) -> None:
    page.read("POST", "/cart", data="book")
    page.read("POST", "/cart", data="pen")
    assert page.read("GET", "/cart").json == ["book", "pen"]
    assert Page(page.application).read("GET", "/cart").json == []


def authlib(app: Flask) -> Scope:
    from authlib.integrations.flask_client import OAuth
    from authlib.integrations.flask_oauth2 import ResourceProtector
    from authlib.oauth2.rfc6750 import BearerTokenValidator

    class Tokens(BearerTokenValidator):
        def authenticate_token(self, token_string: str) -> Any:
            return token_string if f"Bearer {token_string}" in SIGNED_IN.values() else None

        def validate_token(self, token: Any, scopes: Any, request: Any, **_: Any) -> None:
            if token is None:
                super().validate_token(token, scopes, request)

    app.secret_key = "secret"
    oauth = OAuth(app)
    oauth.register(
        "elsewhere", client_id="shop", authorize_url="https://elsewhere.example/authorize"
    )
    require_oauth = ResourceProtector()
    require_oauth.register_token_validator(Tokens())
    app.add_url_rule("/account", "account", require_oauth()(lambda: "ada"))
    back = "https://api.example.com/back"
    app.add_url_rule("/login", "login", lambda: oauth.elsewhere.authorize_redirect(back))
    return {"oauth": oauth, "require_oauth": require_oauth}


def sends_elsewhere_and_takes_tokens(page: Page) -> None:
    location = page.read("GET", "/login", 302).headers["Location"]
    assert location.startswith("https://elsewhere.example/authorize?response_type=code")
    page.preflight("/account", "GET", "Authorization")
    assert page.read("GET", "/account", headers=SIGNED_IN).text == "ada"
    page.read("GET", "/account", 401, headers={"Authorization": "Bearer made-up"})


COOKIE = frozenset({"Cookie"})
ACCOUNT = (("GET", "/account", 401),)

EXTENSIONS = [
    Extension("Flask-Login", ("flask_login",), flask_login, signs_in, ACCOUNT, vary=COOKIE),
    Extension(
        "Flask-JWT-Extended", ("flask_jwt_extended",), flask_jwt_extended, takes_a_token, ACCOUNT
    ),
    Extension(
        "Flask-WTF",
        ("flask_wtf",),
        flask_wtf,
        wants_its_token,
        (("POST", "/order", 400),),
        vary=COOKIE,
    ),
    Extension("Flask-HTTPAuth", ("flask_httpauth",), flask_httpauth, takes_a_password, ACCOUNT),
    Extension(
        "Flask-Principal",
        ("flask_principal",),
        flask_principal,
        has_a_role,
        (("GET", "/account", 403),),
        vary=COOKIE,
    ),
    Extension(
        "Flask-Security-Too",
        ("flask_security", "flask_sqlalchemy"),
        flask_security,
        signs_in_for_a_token,
        ACCOUNT,
        vary=COOKIE,
    ),
    Extension(
        "Flask-Session", ("flask_session", "cachelib"), flask_session, keeps_a_cart, vary=COOKIE
    ),
    Extension(
        "Authlib", ("authlib",), authlib, sends_elsewhere_and_takes_tokens, ACCOUNT, vary=COOKIE
    ),
]
