"""A small SIP exchange on loopback, to develop and test the telephone against: registrar, login and a few extensions.

It is built on the integration's own `sip`, `rtp` and `net` rooms. Nothing in it is fit for an open network.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

INTEGRATION = "custom_components.sip_ua"


def lift_rooms() -> None:
    """Make the rooms importable without the Home Assistant layer around them, whose import takes seconds."""
    if INTEGRATION in sys.modules:
        return
    spec = find_spec(INTEGRATION)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"no {INTEGRATION} here: start from the root of the checkout", name=INTEGRATION)
    package = ModuleType(INTEGRATION)
    package.__path__ = spec.submodule_search_locations
    sys.modules[INTEGRATION] = package


lift_rooms()
