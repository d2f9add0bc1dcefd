"""How path prefixes and globs are written, and aliases: paths that can be read in two ways."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from flask_corsguard.errors import Problem
from flask_corsguard.text import text_of

# Patterns are compiled when they are first used.

# A dot segment.
_DOTS = r"/\.\.?(?:/|\Z)"
# Signs of a glob or a regular expression.
_SIGNS = r"[*^|\[\]{}]|\.\+|\(\?|\$\Z|\\[.dwsS/-]"
# What follows a prefix in the "resources" of Flask-CORS: /api/*, /api/.*, ^/api/(.+)$
_ANYTHING_BELOW = r"(?:/?\??\(?\.?[*+]{1,2}\)?\??)?\$?\Z"
# A host in front of a path: api.example.com/v1, localhost:5000/v1
_HOST = r"(?:localhost|[\d.]+(?=:)|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,})(?::\d+)?(?=/)|[\w.-]+:\d+\Z"
_BRACES = r"([^{}]*)\{([^{}]+)\}([^{}]*)"
_SEVERAL_GLOBS = r"[^,*]*\*[^,]*(?:,[^,*]*\*[^,]*)+"
# What people give instead of '*.css'.
_ENDINGS = (
    r"\.?(avif|css|eot|gif|ico|jpe?g|js|json|map|mjs|mp[34]|otf|pdf|png|svg|ttf|wasm|web[mp]"
    r"|woff2?|xml)"
)
_DEFAULT = "that is every path, which the default policy covers: CorsGuard(app, origins=[...])"


def is_alias(path: str) -> bool:
    """Whether a decoded path can be read in two ways: it has a dot segment, a backslash, or an
    empty segment that is not the last."""
    return "//" in path or "\\" in path or ("/." in path and re.search(_DOTS, path) is not None)


def normalised(path: str) -> str:
    """The other reading of an alias, without such segments. It never leads out of the root."""
    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return f"/{'/'.join(segments)}"


def leading_host(text: str) -> str:
    """The host that a text begins with instead of a scheme or a slash, or ""."""
    host = re.match(_HOST, text)
    return host[0] if host else ""


def read_prefix(field: str, value: object, problems: list[Problem]) -> str:
    """Read a prefix, such as ``/api``.

    :param field: what the prefix was given to, for the message.
    :returns: the prefix without a slash at the end; "" if there is a problem.
    """
    if not isinstance(value, str):
        message = f"a path must be a string such as '/api', not {text_of(value)}."
        problems.append(Problem("wrong_type", field, value, message))
        return ""
    wrong = _what_is_wrong(value)
    if wrong is None:
        return value.removesuffix("/")
    meant, suggestion = _meant_by(value), None
    if meant == "/":
        message = f"{_DEFAULT}."
    elif meant is None or _what_is_wrong(meant) is not None:
        message = f"{wrong}. Write it like '/api', which covers '/api' and everything below it."
    else:
        suggestion = repr(meant)
        message = f"{wrong}. Write {suggestion}."
    message = f"{text_of(value)}: {message}"
    problems.append(Problem("path_prefix", field, value, message, suggestion))
    return ""


def _what_is_wrong(text: str) -> str | None:
    if text in ("", "/"):
        return _DEFAULT
    signs = (
        (text != text.strip(), "there is white space around the path"),
        ("://" in text, "write only the path: scheme and host do not count"),
        (
            re.search("[<>]|/:[a-zA-Z]", text),
            "a prefix has no variables: mark the view or blueprint",
        ),
        (re.search(r"[,|]\s*/", text), "this is several paths: give each of them by itself"),
        (
            re.search(_SIGNS, text),
            "a prefix is not a pattern: it always covers everything below it",
        ),
        ("?" in text or "#" in text, "a path has no query and no fragment"),
        ("%" in text, "write the path decoded, as in the rules of routes"),
        (not text.startswith("/"), "a path begins with a slash"),
        (is_alias(text), "a prefix has no empty or dot segment, and no backslash"),
    )
    return next((words for is_wrong, words in signs if is_wrong), None)


def _meant_by(text: str) -> str | None:
    """The prefix that was probably meant; None if that cannot be told."""
    text = text.strip()
    if "://" in text:
        try:
            text = urlsplit(text).path
        except ValueError:
            return None
    text = re.sub(r"\A\(([^()]*)\)\Z", r"\1", text)
    text = re.sub(_ANYTHING_BELOW, "", text.removeprefix("^"))
    text = text.removeprefix(leading_host(text))
    if re.search(f"<|/:|[,|] */|{_SIGNS}", text):
        return None
    text = unquote(re.split("[?#]", text)[0])
    return normalised(text)


def why_no_glob(endpoint: str, glob: str) -> str | None:
    """What is wrong with a glob for files of *endpoint*, and what to write; None if nothing is."""
    if glob.startswith("/"):
        return (
            f"{glob!r} matches no file: write what follows the folder's own name, such as"
            f" for_files({endpoint!r}, 'fonts/*.woff2')"
        )
    if r"\." in glob or glob.startswith("^") or glob.endswith("$"):
        return (
            f"{glob!r} is a regular expression, and matches no file: write a glob, such as"
            f" for_files({endpoint!r}, '*.woff2')"
        )
    # In names, * also matches /.
    plain = re.sub(r"\*\*/(?=\*)", "", f"{glob.removeprefix('./')}{'*' * glob.endswith('/')}")
    braces, ending = re.fullmatch(_BRACES, glob), re.fullmatch(_ENDINGS, glob)
    wrong, meant = "", [plain]
    if braces:
        before, inner, after = braces.groups()
        wrong, meant = "globs have no braces", [f"{before}{s}{after}" for s in inner.split(",")]
    elif re.fullmatch(_SEVERAL_GLOBS, glob):
        wrong, meant = "these are several globs", [each.strip() for each in glob.split(",")]
    elif plain != glob:
        wrong = "a name has no './' and no '/' at its end, and '*' also matches '/'"
    elif ending:
        wrong, meant = "that matches only a file of that name", [f"*.{ending[1]}"]
    written = ", ".join(map(repr, [endpoint, *meant]))
    return f"{glob!r}: {wrong}. Write for_files({written}, ...)" if wrong else None
