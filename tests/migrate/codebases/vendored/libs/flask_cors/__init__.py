"""Cross-origin sharing for Flask."""

from .decorator import cross_origin
from .extension import CORS

__all__ = ["CORS", "cross_origin"]
