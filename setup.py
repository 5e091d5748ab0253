"""What pyproject.toml cannot say: the manual lies in docs/ and goes into the wheel."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithManual(build_py):
    """Puts docs/manual into resources/manual of what is built, and its pictures beside it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        resources = Path(self.build_lib) / "resources"
        self.copy_tree("docs/manual", str(resources / "manual"))
        self.mkpath(str(resources / "images"))
        for page in sorted(Path("docs/manual").glob("*.md")):
            text = page.read_text(encoding="utf-8")
            for name in re.findall(r"!\[[^]]*\]\(\.\./images/(\S+?)\)", text):
                self.copy_file(f"docs/images/{name}", str(resources / "images" / name))


setup(cmdclass={"build_py": BuildWithManual})
