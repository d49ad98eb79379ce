"""The underflow explorer: which gradients become zero, subnormal or infinite at a loss scale."""

from __future__ import annotations

import json
import math

import traitlets

from amp_helpers.javascript import STATIC
from amp_helpers.tables import Table

from .base import BookWidget, one_of

FORMATS = ("float16", "bfloat16", "float8_e5m2", "float8_e4m3fn")
LEAST, MOST = -10, 40  # exponents of the loss scales on the slider
#: Characters of a histogram: a state stays below 30 kB.
LONGEST = 29_000
_LAYERS = 12  # in the table that stands in where no script runs


def recordings() -> list[str]:
    """Names of the recorded gradients that ship with the package, sorted."""
    return sorted(path.stem for path in (STATIC / "gradients").glob("*.json"))


class UnderflowExplorer(BookWidget):
    """Which gradients become zero, subnormal, normal or infinite in a format, at any loss scale.

    Shows recorded gradients of real models or those of a report, for the whole model and layer by layer, with exact
    counts. The reader drags the loss scale, chooses a format, and may paste the export of a model of their own.

    Args (all of them traits, shared with the page):
        recording: "cnn_start", "cnn_trained", "gpt_start" or "gpt_trained", a CNN on digits and a small GPT on source
            code, at the start and after 200 steps.
        histogram: the text of an export, shown instead of the recording; at most 29,000 characters. `showing` fills it.
        scale_exponent: the loss scale is 2**scale_exponent, from -10 to 40.
        format: "float16", "bfloat16", "float8_e5m2" or "float8_e4m3fn".
        group: the layer in the chart; "" is the whole model.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Special values: "infinite" means NaN in float8_e4m3fn, which has no infinity.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    _kind = "underflow_explorer"

    recording = traitlets.Unicode("gpt_trained").tag(sync=True)
    histogram = traitlets.Unicode("").tag(sync=True)
    scale_exponent = traitlets.Int(0).tag(sync=True)
    format = traitlets.Unicode("float16").tag(sync=True)
    group = traitlets.Unicode("").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    @classmethod
    def showing(cls, report, **traits) -> UnderflowExplorer:
        """An explorer of a report of your own model.

        Args:
            report: what `amp_helpers.gradients.collect` returned, or its `.export()`.
            traits: further traits, such as `scale_exponent`.
        Raises: traitlets.TraitError for a report too long to be stored with a notebook, or of another form.
        """
        data = report if isinstance(report, dict) else report.export()
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        return cls(**({"histogram": text} | traits))

    @traitlets.validate("recording", "format")
    def _check_choice(self, proposal):
        name, choices = proposal.trait.name, FORMATS if proposal.trait.name == "format" else recordings()
        return one_of(name, proposal.value, choices)

    @traitlets.validate("scale_exponent")
    def _check_scale(self, proposal):
        if not LEAST <= proposal.value <= MOST:
            raise traitlets.TraitError(f"scale_exponent must be from {LEAST} to {MOST}, not {proposal.value}")
        return proposal.value

    @traitlets.validate("histogram")
    def _check_histogram(self, proposal):
        if len(proposal.value) > LONGEST:
            raise traitlets.TraitError(
                f"histogram holds {len(proposal.value)} characters; {LONGEST} at most: leave activations out, "
                "or paste the export into the page, which takes more"
            )
        if proposal.value:
            try:
                _report(json.loads(proposal.value))
            except ValueError as error:
                raise traitlets.TraitError(f"histogram: {error}") from None
        return proposal.value

    @traitlets.validate("group")
    def _check_group(self, proposal):
        if proposal.value:
            names = [group.name for group in self.report().groups]
            if proposal.value not in names:
                raise traitlets.TraitError(f"unknown group {proposal.value!r}; choose from {', '.join(names)}")
        return proposal.value

    @traitlets.observe("recording", "histogram")
    def _forget_group(self, change):
        if self.group and self.group not in (group.name for group in self.report().groups):
            self.group = ""

    def report(self):
        """The `GradientReport` that is shown."""
        if self.histogram:
            return _report(json.loads(self.histogram))
        path = STATIC / "gradients" / f"{self.recording}.json"
        return _report(json.loads(path.read_text(encoding="utf-8")))

    def __repr__(self):
        """As every widget's, but for a histogram only its model."""
        if not self.histogram:
            return super().__repr__()
        state = {name: value for name, value in self.state().items() if name != "histogram"}
        defaults = self.trait_defaults()
        changed = [f"{name}={value!r}" for name, value in state.items() if value != defaults[name]]
        return f"UnderflowExplorer.showing({', '.join([f'<{self.report().model}>', *changed])})"

    def fallback(self) -> str:
        report, scale = self.report(), 2.0**self.scale_exponent
        rows = [_row(name, report.total(), name, scale) for name in FORMATS]
        title = f"{report.model}: shares of the nonzero gradients at loss scale 2^{self.scale_exponent}"
        columns = ["format", "zero", "subnormal", "infinite", "largest safe scale"]
        groups = sorted(report.groups, key=lambda group: -group.at(self.format, scale).zero)
        titles = {"parameter": "{}", "activation": "{} (output)"}
        layers = [_row(titles[one.kind].format(one.name), one, self.format, scale) for one in groups[:_LAYERS]]
        rest = f"; the {_LAYERS} that lose most of {len(groups)}" if len(groups) > _LAYERS else ""
        below = Table(["layer", *columns[1:]], layers, f"Layer by layer in {self.format}{rest}")
        tables = Table(columns, rows, title)._repr_html_() + below._repr_html_()
        return f'<div style="overflow-x: auto" tabindex="0" role="region" aria-label="Shares">{tables}</div>'


def _report(data):
    from amp_helpers.gradients import GradientReport  # loads torch, which a page's build may lack

    report = GradientReport.from_export(data)
    for name in FORMATS:
        for group in report.groups:
            group.at(name, 1.0)  # names an edge that is missing
    return report


def _row(title: str, histogram, fmt: str, scale: float) -> tuple[str, ...]:
    shares = histogram.shares(fmt, scale)
    safe = histogram.largest_safe_scale(fmt)
    limit = "none" if safe is None else f"2^{round(math.log2(safe))}"
    return (title, *(_percent(share) for share in (shares.zero, shares.subnormal, shares.infinite)), limit)


def _percent(share: float) -> str:
    """0 and 100 only where that is exact."""
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    return "< 0.01 %" if share < 1e-4 else "> 99.99 %" if share > 0.9999 else f"{100 * share:.2f} %"
