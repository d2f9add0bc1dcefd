from flask.ext.cors import CORS
from flask_cors import cross_origin

print "old", CORS
