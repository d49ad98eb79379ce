"""A figure with controls: redrawn by Python in Jupyter, one picture in a page without a kernel."""

from __future__ import annotations

import base64
import inspect
import sys
from collections.abc import Callable
from html import escape

import ipywidgets

_VIEW = "application/vnd.jupyter.widget-view+json"


class InteractiveFigure:
    """A figure that is drawn anew, in Python, whenever one of its controls changes.

    A browser cannot run Python, so where no kernel is (the published page, GitHub) the figure stands as it was stored,
    without controls. Widgets that need no Python are the classes of `amp_helpers.widgets`.

    Args:
        draw: a function of the controls' values that returns the axes it drew, as the functions of `plots` do.
        controls: one for each argument of `draw`, by name: a list of choices, (low, high) or (low, high, step), or an
            ipywidgets control.
    Raises: TypeError if `draw` and the controls do not fit together; ValueError naming a control that is none of these.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """

    def __init__(self, draw: Callable, **controls):
        try:
            inspect.signature(draw).bind(**controls)
        except TypeError as error:
            raise TypeError(f"draw and the controls {', '.join(controls) or '(none)'}: {error}") from None
        self._draw = draw
        self._controls = {name: _control(name, wanted) for name, wanted in controls.items()}
        self._image = ipywidgets.HTML()
        self._box = ipywidgets.VBox([*self._controls.values(), self._image])
        for control in self._controls.values():
            control.observe(self._update, names="value")
        self._update()

    def values(self) -> dict:
        """The controls' values, by name."""
        return {name: control.value for name, control in self._controls.items()}

    def _update(self, change=None):
        from amp_helpers.plots import to_png  # the other widgets need no matplotlib

        # Not an Output widget: what it captures would also reach the cell's stored output.
        self._png = to_png(self._draw(**self.values()))
        picture = base64.b64encode(self._png).decode()
        alt = escape(", ".join(f"{name} {value}" for name, value in self.values().items()))
        style = "max-width: 100%"
        self._image.value = f'<img alt="Figure for {alt}" style="{style}" src="data:image/png;base64,{picture}">'

    def __repr__(self):
        return f"InteractiveFigure({', '.join(f'{name}={value!r}' for name, value in self.values().items())})"

    def _repr_mimebundle_(self, **kwargs):
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        data = {"text/plain": repr(self), _VIEW: view}
        if "google.colab" not in sys.modules:  # Colab is offered the live view only
            data["image/png"] = base64.b64encode(self._png).decode()
        return data, {}


def _control(name, wanted):
    control = wanted
    if not isinstance(wanted, ipywidgets.Widget):
        control = ipywidgets.interactive.widget_from_abbrev(wanted)
    if control is None or not control.has_trait("value"):
        raise ValueError(f"control {name} is {wanted!r}; give a list, (low, high), (low, high, step) or a control")
    control.description = control.description or name
    if control.has_trait("continuous_update"):
        control.continuous_update = False  # a figure takes longer to draw than a slider to move
    return control
