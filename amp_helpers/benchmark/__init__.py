"""How this book measures: one way of timing, one form for what was measured, one place where records stand."""

from .records import (
    SCHEMA,
    Record,
    check_record,
    new_header,
    provenance_line,
    read_records,
    source_hash,
    write_record,
)
from .timing import Timing, machine_line, one_thread, set_memory, time_device, time_interleaved

__all__ = [
    "SCHEMA",
    "Record",
    "Timing",
    "check_record",
    "machine_line",
    "new_header",
    "one_thread",
    "provenance_line",
    "read_records",
    "set_memory",
    "source_hash",
    "time_device",
    "time_interleaved",
    "write_record",
]
