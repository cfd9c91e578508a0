"""The pages for people."""

from .pages import bp

__all__ = ["bp"]
