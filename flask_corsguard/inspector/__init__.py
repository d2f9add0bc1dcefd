"""The inspector: what the guard would let whom do, and whom it turned away lately, as pages for the
developer. The extension knows it by name only.
"""
