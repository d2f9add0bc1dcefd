"""Reads Markdown, as far as the tests of the documentation do."""

import re


def section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table(text: str) -> list[list[str]]:
    """The rows of all Markdown tables in a text, cell by cell, without their heads."""
    text = re.sub(r"^\|.*\n\|---.*\n", "", text, flags=re.MULTILINE)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
