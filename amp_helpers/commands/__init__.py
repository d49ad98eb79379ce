"""The commands of `python -m amp_helpers`, a file each."""
