"""Tests whether the responses of a running deployment follow the policy table."""
