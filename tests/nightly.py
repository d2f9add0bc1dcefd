"""Whether this is ``.ci/nightly``, where some tests go through more than after each change."""

import os

IS_NIGHTLY = os.environ.get("CORSGUARD_NIGHTLY") == "1"
