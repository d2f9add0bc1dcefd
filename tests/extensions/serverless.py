"""What calls an app for each event, with no server."""

import base64
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask

from .around import streams, streams_and_takes_a_body
from .extension import Extension, Scope


def through_events(handler: Any) -> Any:
    """A WSGI app that hands each request to a function of AWS Lambda: an event of an HTTP API."""

    def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        names = {name: name[5:] for name in environ if name.startswith("HTTP_")}
        names |= {"CONTENT_TYPE": "CONTENT_TYPE", "CONTENT_LENGTH": "CONTENT_LENGTH"}
        cookies = [environ["HTTP_COOKIE"]] if "HTTP_COOKIE" in environ else []
        event = {
            "version": "2.0",
            "rawPath": environ["PATH_INFO"],
            "rawQueryString": environ["QUERY_STRING"],
            "queryStringParameters": dict(parse_qsl(environ["QUERY_STRING"])),
            "cookies": cookies,
            "headers": {
                short.replace("_", "-").lower(): environ[name]
                for name, short in names.items()
                if environ.get(name)
            }
            | {"x-forwarded-proto": environ["wsgi.url_scheme"], "x-forwarded-port": "443"},
            "requestContext": {
                "http": {
                    "method": environ["REQUEST_METHOD"],
                    "path": environ["PATH_INFO"],
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                },
                "stage": "$default",
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answer = handler(event, None)
        lines = [*answer.get("headers", {}).items()]
        lines += [("Set-Cookie", cookie) for cookie in answer.get("cookies", [])]
        start_response(f"{answer['statusCode']} -", [(name, str(value)) for name, value in lines])
        text = answer.get("body") or ""
        return [base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()]

    return wsgi


def apig_wsgi(app: Flask) -> Scope:
    from apig_wsgi import make_lambda_handler

    streams(app)
    return {"make_lambda_handler": make_lambda_handler}


def serverless_wsgi(app: Flask) -> Scope:
    import serverless_wsgi

    streams(app)
    return {"serverless_wsgi": serverless_wsgi}


# What the file of a function takes from here.
functions: Scope = {}
SOURCE = "from tests.extensions.serverless import functions\n\nmain = functions['main']\n"


def functions_framework(app: Flask) -> Scope:
    from flask import Response

    streams(app)
    return {"Response": Response}


def through_functions_framework(scope: Scope) -> Any:
    from functions_framework import create_app

    functions["main"] = scope["main"]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "main.py")
        file.write_text(SOURCE)
        return create_app("main", str(file), "http")


EXTENSIONS = [
    Extension(
        "apig-wsgi",
        ("apig_wsgi",),
        apig_wsgi,
        streams_and_takes_a_body,
        served=lambda scope: through_events(scope["lambda_handler"]),
    ),
    Extension(
        "serverless-wsgi",
        ("serverless_wsgi",),
        serverless_wsgi,
        streams_and_takes_a_body,
        served=lambda scope: through_events(scope["handler"]),
    ),
    Extension(
        "functions-framework",
        ("functions_framework",),
        functions_framework,
        streams_and_takes_a_body,
        served=through_functions_framework,
    ),
]
