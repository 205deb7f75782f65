"""A stand-in for Grafana: a real HTTP server that behaves as the contract says a Grafana of a version does.

It knows nothing of tocsin and imports nothing of it, so that the two cannot share a misreading. Where the
contract is in doubt it refuses. `profiles.py` holds what the versions differ in, `rows.py` the rows of the
contract that tests must cover.

    with StandIn("11.6") as grafana:
        grafana.plan(faults.conflict(path=".*/rule-groups/.*"))
        ...
        assert grafana.log.count("PUT") == 2

What it does not have: the Ruler, convert and app platform APIs, evaluation, hcl exports.
"""

from tests.standin.access import Token
from tests.standin.calls import Settings
from tests.standin.faults import Fault
from tests.standin.profiles import PROFILES, Profile
from tests.standin.server import DEFAULT_TOKEN, Entry, StandIn

__all__ = ["DEFAULT_TOKEN", "PROFILES", "Entry", "Fault", "Profile", "Settings", "StandIn", "Token"]
