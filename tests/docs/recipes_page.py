"""The page with the recipes: its recipes, and what people search for to find one."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2].joinpath("docs", "how-to", "recipes.md").read_text("utf-8")


class Recipe(NamedTuple):
    """One recipe.

    :ivar words: what it is found by.
    :ivar text: everything below its heading.
    :ivar blocks: language to block.
    """

    heading: str
    words: tuple[str, ...]
    text: str
    blocks: dict[str, str]


def _read() -> dict[str, Recipe]:
    pattern = r"^```{index} ([^\n]+)\n```\n\n### ([^\n]+)\n(.*?)(?=^```{index}|^## |\Z)"
    recipes: dict[str, Recipe] = {}
    for words, heading, text in re.findall(pattern, PAGE, re.MULTILINE | re.DOTALL):
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert len(dict(blocks)) == len(blocks), f"two blocks of one language: {heading}"
        entries = tuple(re.findall(r"! ([^,]+)", words))
        recipes[heading] = Recipe(heading, entries, text, dict(blocks))
    return recipes


RECIPES = _read()

# What somebody types, and how the heading of the recipe begins.
SEARCHES = {
    "vite": "A dev server on another port",
    "react": "A dev server on another port",
    "vue": "A dev server on another port",
    "angular": "A dev server on another port",
    "next.js": "A dev server on another port",
    "vite proxy": "The dev server's proxy",
    "127.0.0.1": "localhost or 127.0.0.1",
    "localhost": "Development and production",
    "production": "Development and production",
    "env": "Environment variables",
    "environment variables": "Environment variables",
    "docker": "Environment variables",
    "dotenv": "A .env file",
    ".env": "A .env file",
    "yaml": "YAML",
    "toml": "YAML",
    "allow all origins": "A public API",
    "blueprint": "One route",
    "intranet": "Admin pages",
    "vpn": "Admin pages",
    "font": "Fonts",
    "webhook": "Webhooks",
    "vercel": "Preview",
    "netlify": "Preview",
    "tenants": "Tenants",
    "widget": "Tenants",
    "chrome extension": "Browser extensions",
    "capacitor": "Mobile apps",
    "electron": "Desktop apps",
    "tauri": "Desktop apps",
    "axios": "Login with a cookie",
    "withcredentials": "Login with a cookie",
    "cookies": "Login with a cookie",
    "jwt": "A JWT",
    "Authorization header": "A JWT",
    "before_request": "A login check",
    "preflight 401": "A login check",
    "json": "JSON",
    "X-API-Key": "A request header",
    "X-Total-Count": "A response header",
    "download": "A download with",
    "Content-Disposition": "A download with",
    "s3": "A download from S3",
    "signed url": "A download from S3",
    "presigned": "A download from S3",
    "upload": "An upload",
    "404": "Errors",
    "eventsource": "Server-sent events",
    "sse": "Server-sent events",
    "graphql": "GraphQL",
    "websocket": "WebSocket",
    "socket.io": "Socket.IO",
    "workers": "Several workers",
    "gunicorn": "Several workers",
    "nginx": "Behind nginx",
    "prometheus": "Metrics",
    "sentry": "Sentry",
    "stdout": "Rejections as JSON",
    "pytest": "Tests",
    "ci": "A build",
    "204": "A preflight",
    "timing-allow-origin": "Timing-Allow-Origin",
    "cross-origin-resource-policy": "Timing-Allow-Origin",
}


def found_by(words: str) -> Recipe:
    """The recipe that these words have to lead to."""
    [recipe] = [r for h, r in RECIPES.items() if h.startswith(SEARCHES[words])]
    return recipe
