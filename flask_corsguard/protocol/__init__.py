"""CORS itself: the standard library only, no framework and no I/O."""
