"""Which gradients would a format lose, at which scale? Exact counts from one backward pass in float32."""

from .bins import Edge
from .collecting import collect, report
from .histogram import GradientHistogram, Outcome, ScaleRange
from .reporting import GradientReport

__all__ = ["Edge", "GradientHistogram", "GradientReport", "Outcome", "ScaleRange", "collect", "report"]
