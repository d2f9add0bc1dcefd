from web import app
import web.api  # noqa: F401  registers the routes

application = app.app
