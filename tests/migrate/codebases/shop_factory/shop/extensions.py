"""Extensions, bound to the app in create_app()."""

from flask_cors import CORS

cors = CORS()
