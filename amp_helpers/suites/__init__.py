"""What gets measured, a module per subject; `python -m amp_helpers bench` runs them."""
