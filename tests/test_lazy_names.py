"""What ``import flask_corsguard`` gives before anything is loaded."""

import pytest

import flask_corsguard


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CORS", "Write CorsGuard(app, origins=[...]), or import CORS from flask_corsguard.compat"),
        ("cross_origin", "Write @cors(origins=[...]), or import cross_origin from"),
        ("exempt", "Import cors_exempt, and write @cors_exempt above the view."),
        ("Cors", "cannot import name 'Cors'"),
    ],
)
def test_names_that_people_look_for(name, words):
    with pytest.raises(ImportError, match="flask_corsguard") as caught:
        exec(f"from flask_corsguard import {name}")
    assert words in str(caught.value)


def test_others_are_just_missing():
    assert not hasattr(flask_corsguard, "Guard")
    assert {*flask_corsguard.__all__} <= {*dir(flask_corsguard)}
