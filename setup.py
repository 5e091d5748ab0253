"""What pyproject.toml cannot say: the manual's pages lie in docs/ and go into the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithManual(build_py):
    """Puts docs/manual into resources/manual of what is built."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_tree("docs/manual", str(Path(self.build_lib) / "resources" / "manual"))


setup(cmdclass={"build_py": BuildWithManual})
