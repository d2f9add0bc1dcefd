"""What ``import flask_corsguard`` gives before anything is loaded."""

import pytest

import flask_corsguard


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CORS", "Write CorsGuard(app, origins=[...]), or import CORS from flask_corsguard.compat"),
        ("cross_origin", "Write @cors(origins=[...]), or import cross_origin from"),
        ("exempt", "Import cors_exempt, and write @cors_exempt above the view."),
        ("FileOrigins", "Write: from flask_corsguard.sources import FileOrigins"),
        ("RedisOrigins", "Write: from flask_corsguard.sources import RedisOrigins"),
        ("SQLOrigins", "Write: from flask_corsguard.sources import SQLOrigins"),
        ("Browser", "Write: from flask_corsguard.testing import Browser"),
        ("register", "Write: from flask_corsguard.metrics import register"),
        ("Cors", "cannot import name 'Cors'"),
    ],
)
def test_names_that_people_look_for(name, words):
    with pytest.raises(ImportError, match="flask_corsguard") as caught:
        exec(f"from flask_corsguard import {name}")
    assert words in str(caught.value)
    _, _, statement = words.partition("Write: ")
    exec(statement)


def test_others_are_just_missing():
    assert not hasattr(flask_corsguard, "Guard")
    assert {*flask_corsguard.__all__} <= {*dir(flask_corsguard)}
