"""What every live widget shares: Python holds the traits, all behaviour lives in `static/widgets/*.js`.

A widget's output carries two views of one state: anywidget's for Jupyter, and an HTML twin with a static fallback for
pages without a kernel (the published book, GitHub's preview).
"""

from __future__ import annotations

import json
import sys
from html import escape

import anywidget
import traitlets

from amp_helpers.formats import check_choice
from amp_helpers.javascript import module_source


def one_of(name: str, value, choices):
    """The value of a trait that has choices. Raises: TraitError listing them."""
    try:
        check_choice(name, value, choices)
    except ValueError as error:
        raise traitlets.TraitError(str(error)) from None
    return value


class BookWidget(anywidget.AnyWidget):
    """An anywidget whose output also carries `<amp-widget kind=... state=...>fallback</amp-widget>`.

    A subclass names its JavaScript module in `_kind`, declares its state as traits tagged `sync=True` and may override
    `fallback`.
    """

    _kind = ""
    _ipython_display_ = None  # ipywidgets 7 (Colab) would bypass the MIME bundle

    def __init_subclass__(cls, **kwargs):
        if cls._kind and "_esm" not in cls.__dict__:
            cls._esm = module_source(cls._kind)
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs):
        known = self.trait_names()
        for name in kwargs:
            if name not in known:
                choices = ", ".join(self.class_state_names())
                raise TypeError(f"{type(self).__name__} has no trait {name!r}; choose from {choices}")
        super().__init__(**kwargs)

    @classmethod
    def class_state_names(cls) -> list[str]:
        """Names of the widget's own synced traits, sorted."""
        names = set(cls.class_trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        return sorted(name for name in names if not name.startswith("_"))

    def state(self) -> dict:
        """The widget's own synced traits, by name."""
        return {name: getattr(self, name) for name in self.class_state_names()}

    def __repr__(self):  # the default one holds a memory address, which no stored output may
        defaults = self.trait_defaults()
        changed = (f"{name}={value!r}" for name, value in self.state().items() if value != defaults[name])
        return f"{type(self).__name__}({', '.join(changed)})"

    def fallback(self) -> str:
        """HTML that stands in where no script runs."""
        return f"<pre>{escape(repr(self))}</pre>"

    def twin(self) -> str:
        """The `<amp-widget>` element for a page without a kernel."""
        state = escape(json.dumps(self.state(), sort_keys=True))
        return f'<amp-widget kind="{self._kind}" state="{state}">{self.fallback()}</amp-widget>'

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = repr(self)
        if "google.colab" not in sys.modules:  # Colab is offered the live view only
            data["text/html"] = self.twin()
        return data, metadata
