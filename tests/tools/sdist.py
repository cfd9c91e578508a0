"""The source distribution. Left to itself, setuptools would leave out wsgi.py, the documentation and most of the tests."""

from pathlib import Path

from setuptools.command.sdist import sdist

PLACES = ("wsgi.py", "schema.sql", ".ruff.toml", "app/**/*", "seed/*", "tests/**/*", ".github/**/*", ".deploy/*")


class Sdist(sdist):
    def make_distribution(self) -> None:
        """Add what is needed to run the tests, and the documentation that they read. setup.cfg names this class."""
        found = (path for place in PLACES for path in Path().glob(place) if path.is_file() and "__pycache__" not in path.parts)
        self.filelist.extend(sorted(path.as_posix() for path in found))
        self.filelist.remove_duplicates()
        super().make_distribution()
