from flask import Flask
from flask_cors import cross_origin

app = Flask("helper")


@cross_origin(origins="https://app.example.com")
def answer(value):
    return {"value": value}


@app.get("/one")
def one():
    return answer(1)
