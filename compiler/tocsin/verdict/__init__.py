"""What a canary found out about one changed rule, and whether that admits the change.

The canary writes records, sync reads them; neither imports the other, both know this room. Pure: text and
values in, values out, the day and the key are arguments.
"""

from tocsin.verdict.admit import Policy, Refusal, Standing, admit, admit_any
from tocsin.verdict.read import RecordProblem, read_record
from tocsin.verdict.record import GateLimits, GateResult, Record, Stage, Waiver
from tocsin.verdict.signature import sign, signed

__all__ = [
    "GateLimits",
    "GateResult",
    "Policy",
    "Record",
    "RecordProblem",
    "Refusal",
    "Stage",
    "Standing",
    "Waiver",
    "admit",
    "admit_any",
    "read_record",
    "sign",
    "signed",
]
