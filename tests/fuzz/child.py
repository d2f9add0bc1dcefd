"""One target, fuzzed in a process of its own: ``python -m tests.fuzz.child TARGET [libFuzzer's]``.

The target ``planted`` is ``origins`` with a fault in the guard: the fuzzer has to find it.
"""

import sys

import atheris

with atheris.instrument_imports(include=["flask_corsguard"]):
    from flask_corsguard.protocol import origins
    from tests.fuzz.targets import TARGETS


def main() -> None:
    program, name, *options = sys.argv
    if name == "planted":
        name, parse = "origins", origins.parse_origin
        origins.parse_origin = lambda text: parse(text.removesuffix("."))
    atheris.Setup([program, *options], TARGETS[name])
    atheris.Fuzz()


main()
