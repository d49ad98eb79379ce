"""The two names of `google.colab.output` that anywidget uses."""


class _widgets:
    _installed_url = None


def enable_custom_widget_manager():
    _widgets._installed_url = "manager.js"
