"""The pages for people."""

from .pages import init_app

__all__ = ["init_app"]
