# -*- coding: utf-8 -*-
# Grüße an alle: die Öffnung für „app“ und「管理」ist Absicht. ☂

from flask import Flask
from flask_cors import CORS, cross_origin   # zwei Namen


def create_app():
	app = Flask(__name__)   # kein Schlüssel nötig
	CORS(
		app,
		origins = ['https://app.example.com', 'https://admin.example.com'],   # größer wird's nicht
		allow_headers = ["Content-Type"],
	)

	@app.route('/größe', methods = ['GET', 'POST'])
	def size():
		return {'größe' : 3}

	@app.route('/offen')
	@cross_origin()   # für alle
	def open_to_all():
		return {"offen": True}

	return app
