"""What gets measured: a file per suite, shown by `python -m amp_helpers bench` and `record`."""
