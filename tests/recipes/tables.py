"""Tables of the pages of ``docs/migrating/`` whose rows are measured."""


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the one below a heading, without the marks around code."""
    below = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    _, *lines = (line for line in below.splitlines() if line.startswith("| "))
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
