from .core import LOG, get_options


class CORS:
    def __init__(self, app=None, **kwargs):
        if app is not None:
            self.init_app(app, **kwargs)

    def init_app(self, app, **kwargs):
        options = get_options({"origins": app.config.get("CORS_ORIGINS"), **kwargs})
        LOG.debug("Enabling %s for %s", options, app)
