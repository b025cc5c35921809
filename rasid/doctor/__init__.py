"""What may keep Rasid from working, and what to do about it.

    configuration ─▶ Patient ─▶ every check in a thread of its own, bounded in time ─▶ Findings

`rasid doctor` runs all of them, beside a running daemon or without one; the daemon runs a few
after its start and logs what is not ok. A check never changes anything, and none hides another:
one that fails or hangs is itself a finding.
"""

from rasid.doctor.examine import CHECKS, examine
from rasid.doctor.finding import Finding, Patient

__all__ = ["CHECKS", "Finding", "Patient", "examine"]
