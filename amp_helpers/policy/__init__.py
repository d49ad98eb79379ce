"""Autocast's policy: which ops it casts, and to what, on each device type and in each torch."""

from .documentation import Differences, differences, documented, documented_source
from .policies import OpPolicy, Policy, autocast_policy, compare
from .versions import Changes, changes, export_policies, stored_policies

__all__ = [
    "Changes",
    "Differences",
    "OpPolicy",
    "Policy",
    "autocast_policy",
    "changes",
    "compare",
    "differences",
    "documented",
    "documented_source",
    "export_policies",
    "stored_policies",
]
