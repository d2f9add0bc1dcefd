"""The policies of paths as configuration for the server that serves these instead of Flask."""
