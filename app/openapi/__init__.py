"""The OpenAPI document and its pages."""

from .pages import init_app

__all__ = ["init_app"]
