from . import bp


@bp.route("/orders", methods=["GET", "PUT"])
def orders():
    return []
