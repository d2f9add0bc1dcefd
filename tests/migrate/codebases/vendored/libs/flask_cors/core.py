import logging

LOG = logging.getLogger("flask_cors")
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


def get_options(given):
    return {"origins": "*", "intercept_exceptions": True, **given}
