"""Fonts for every site, and nothing else. ``flask --app examples/static_fonts run``

Browsers load fonts from another origin only if CORS allows it. ``for_files`` marks files of the
static endpoint by their names. All other files keep the default policy, which allows nobody.
"""

from flask import Flask

from flask_corsguard import CorsGuard

app = Flask(__name__)
guard = CorsGuard(app)
guard.for_files("static", "*.woff2", "*.woff", "*.ttf", origins="*")
