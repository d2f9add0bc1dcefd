"""The chart of what each extension adds to a request."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from .overhead import Overhead
from .requests import REQUESTS

# The same bytes for the same figures; and text that a reader's fonts draw.
_SETTINGS = {
    "svg.hashsalt": "bench",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
}
_NO_METADATA = {"Date": None, "Creator": None}
# Grey that can be read on a white page and on a black one, and so the colours.
_INK = "#808080"
COLOURS = {
    "CorsGuard": "#2f8f5b",
    "CorsGuard, @cors": "#72b791",
    "Flask-CORS": "#c8603a",
    "Flask-CORS, @cross_origin": "#dc9a80",
    "two hooks that write the same": "#4f79b0",
    "two empty hooks": "#93b0d6",
}
_ERROR_BARS = {"ecolor": _INK, "elinewidth": 1}
_HEIGHT = 0.8 / len(COLOURS)


def draw(found: Overhead, path: Path) -> None:
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(8, 6.5), layout="constrained")
        axes = figure.subplots()
        requests = list(REQUESTS)[:4]
        for number, (name, colour) in enumerate(COLOURS.items()):
            figures = [found[request][name] for request in requests]
            added = [100 * (figure["median"] - 1) for figure in figures]
            spread = [
                [100 * (figure["median"] - figure["low"]) for figure in figures],
                [100 * (figure["high"] - figure["median"]) for figure in figures],
            ]
            places = [place + (number + 0.5) * _HEIGHT - 0.4 for place in range(len(requests))]
            style = {"label": name, "color": colour, "error_kw": _ERROR_BARS}
            axes.barh(places, added, _HEIGHT * 0.9, xerr=spread, **style)
        axes.set_yticks(range(len(requests)), requests)
        axes.invert_yaxis()
        axes.axvline(0, color=_INK, linewidth=1)
        axes.set_xlabel(
            "added to bare Flask's time, in percent, with the middle half of the rounds"
        )
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_INK)
        axes.tick_params(colors=_INK, labelcolor=_INK)
        axes.xaxis.label.set_color(_INK)
        figure.legend(loc="outside upper center", ncols=3, frameon=False, labelcolor=_INK)
        figure.savefig(path, format="svg", transparent=True, metadata=_NO_METADATA)
