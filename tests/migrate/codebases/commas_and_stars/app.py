from flask import Flask
from flask_cors import CORS, cross_origin

joined = Flask("joined")
CORS(joined, origins=["https://app.example.com"], allow_headers="Content-Type,Authorization")

star_methods = Flask("star_methods")
CORS(star_methods, origins=["https://app.example.com"], methods=["*"])

star_headers = Flask("star_headers")
CORS(star_headers, origins=["https://app.example.com"], allow_headers=["*"], methods="GET,PUT")

star_exposed = Flask("star_exposed")
CORS(star_exposed, origins=["https://app.example.com"], expose_headers="*")

any_pattern = Flask("any_pattern")
CORS(any_pattern, origins=r".*")

pattern_headers = Flask("pattern_headers")
CORS(pattern_headers, origins=["https://app.example.com"], allow_headers=[r"X-.*"])

in_list = Flask("in_list")
CORS(in_list, origins=["*"])

nobody = Flask("nobody")
CORS(nobody, origins=[])

mixed = Flask("mixed")
CORS(mixed, origins=["*", "https://app.example.com"])

ports = Flask("ports")
CORS(ports, origins="http://localhost:*")


@joined.route("/", methods=["GET", "PUT"])
@star_methods.route("/", methods=["GET", "PUT"])
@star_headers.route("/", methods=["GET", "PUT"])
@star_exposed.route("/", methods=["GET", "PUT"])
@any_pattern.route("/", methods=["GET", "PUT"])
@pattern_headers.route("/", methods=["GET", "PUT"])
@in_list.route("/", methods=["GET", "PUT"])
@nobody.route("/", methods=["GET", "PUT"])
@mixed.route("/", methods=["GET", "PUT"])
@ports.route("/", methods=["GET", "PUT"])
def root():
    return "root", 200, {"X-Total": "0"}
