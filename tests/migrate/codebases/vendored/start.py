import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "libs"))

from app import app  # noqa: E402

if __name__ == "__main__":
    app.run()
