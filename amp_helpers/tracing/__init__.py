"""Which op received and returned which dtype in a run: `with trace(model) as t: ...`, then `print(t.table())`."""

from .recorder import trace
from .records import Call, Record
from .summary import Summary

__all__ = ["Call", "Record", "Summary", "trace"]
