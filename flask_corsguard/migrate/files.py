from __future__ import annotations

import io
import tokenize
from pathlib import Path
from typing import NamedTuple

from flask_corsguard.migrate.findings import Finding


class Source(NamedTuple):
    path: Path
    data: bytes
    text: str
    encoding: str


class Tree(NamedTuple):
    sources: tuple
    findings: tuple
    notes: tuple


def read_source(path):
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return Source(path, data, data.decode(encoding), encoding)


def read_tree(path, wanted):
    sources, findings = [], []
    files = (
        [path]
        if path.is_file()
        else sorted(
            p
            for p in path.rglob("*.py")
            if p.is_file()
            and not any(
                x.startswith(".") or x in ("node_modules", "site-packages", "venv") for x in p.parts
            )
        )
    )
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or directory")
    for f in files:
        d = f.read_bytes()
        if wanted.search(d):
            try:
                sources.append(read_source(f))
            except (SyntaxError, ValueError, LookupError) as e:
                if b"flask_cors" in d:
                    findings.append(
                        Finding(
                            f, 1, "unreadable_file", f"the file cannot be read: {e}", "x", ("y",)
                        )
                    )
    return Tree(tuple(sources), tuple(findings), ())


def write_files(files):
    for f in files:
        f.path.write_bytes(f.after)
