"""Python runs this file by itself at its start: on Colab, too, `google.colab` is loaded before the first cell."""

import google.colab.output  # noqa: F401
