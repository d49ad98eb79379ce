"""Deprecated AMP spellings and wrong training loops, found in a file without running it.

How a file is read, from top to bottom:

- `sources` finds files and reads them, `checking` runs the rules on each, `findings` is what comes out.
- `tree` is the syntax tree: what a name means, and where it stands.
- `events` are the steps of a training loop. `collecting` reads statements and `expressions` calls into events;
  `actors` knows the scalers and optimizers, `regions` the autocast regions. `flow` answers what runs before what.
- `rules` lists all rules: those of `spellings` read the tree, those of `missing`, `order` and `casting` the loops.
  `guards` is the code that they leave alone, `codes` what each code means.
"""

from .checking import check_paths, check_source
from .codes import CODES, Code
from .findings import Checked, Finding

__all__ = ["CODES", "Checked", "Code", "Finding", "check_paths", "check_source"]
