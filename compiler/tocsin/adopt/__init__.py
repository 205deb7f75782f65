"""Foreign formats become sources. `prometheus` is the story; read it first."""

from __future__ import annotations

from tocsin.adopt.decide import Options, asks_for_labels, contradicts_labels
from tocsin.adopt.existing import Existing, survey
from tocsin.adopt.prometheus import Adoption, adopt

__all__ = ["Adoption", "Existing", "Options", "adopt", "asks_for_labels", "contradicts_labels", "survey"]
