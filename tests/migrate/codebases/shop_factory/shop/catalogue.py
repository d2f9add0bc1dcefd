from flask import Blueprint

catalogue = Blueprint("catalogue", __name__)


@catalogue.get("/")
def everything():
    return [{"sku": "a-1"}], {"X-Total": "1", "X-Internal": "7"}


@catalogue.patch("/<sku>")
def change(sku):
    return {"sku": sku}
