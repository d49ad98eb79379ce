"""What gets measured: a file for each benchmark that `python -m amp_helpers bench` runs."""
