"""What the rest of the house knows of the one who talks with callers in the name of Assist."""

from typing import Protocol


class Satellite(Protocol):
    """Leads conversations of Assist in the calls of one account, one at a time."""

    @property
    def is_free(self) -> bool:
        """Return whether it talks to nobody, and calls nobody."""

    async def async_take_call(self, call_id: str) -> None:
        """Answer a call that rings, and talk with the caller until one of both hangs up."""
