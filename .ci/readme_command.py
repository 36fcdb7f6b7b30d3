"""Prints the README's command block that is marked with a name: `<!-- run: NAME -->` before the fence."""

import pathlib
import re
import sys

readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
block = re.search(rf"<!-- run: {re.escape(sys.argv[1])} -->\n```sh\n(.*?)```", readme, re.S)
if block is None:
    sys.exit(f"README.md has no block marked {sys.argv[1]}")
print(block.group(1).strip())
