"""What is wrong with this model or this loop: each finding with its place, its reason and its fix."""

from .codes import CODES, MODEL_CODES, STEP_CODES
from .findings import Finding, Report
from .model import audit
from .steps import audit_steps

__all__ = ["CODES", "MODEL_CODES", "STEP_CODES", "Finding", "Report", "audit", "audit_steps"]
