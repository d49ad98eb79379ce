"""Stands in for Colab's own package, which cannot be installed elsewhere."""
