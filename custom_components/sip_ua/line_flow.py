"""Watched lines: each is typed as a name and a number or SIP address."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.const import CONF_NAME

from .const import CONF_NUMBER
from .form import TEXT
from .net.phone import check_target
from .settings import account_of, plain_target
from .sip.errors import LocalProtocolError
from .subentry_flow import Listed, ListingFlow

NAME_LENGTH_MAX = 64
LINE_SCHEMA = vol.Schema({vol.Required(CONF_NUMBER): TEXT, vol.Optional(CONF_NAME): TEXT})


class LineFlow(ListingFlow):
    """Add a line to watch, or change one."""

    schema = LINE_SCHEMA

    @override
    def listed(self, typed: Mapping[str, Any]) -> Listed:
        """Return name and number; without a name the number stands for it."""
        number = plain_target(typed[CONF_NUMBER])
        return Listed(typed.get(CONF_NAME, "").strip() or number, {CONF_NUMBER: number}, number)

    @override
    async def mistakes(self, listed: Listed, besides: str | None) -> dict[str, str]:
        """Return what is wrong with a line."""
        entry, number = self._get_entry(), listed.unique_id
        if number in {other.unique_id for other in entry.subentries.values() if other.subentry_id != besides}:
            return {CONF_NUMBER: "line_known"}
        try:
            check_target(account_of(entry.data), number)
        except LocalProtocolError:
            return {CONF_NUMBER: "line_invalid"}
        return {CONF_NAME: "line_name_too_long"} if len(listed.title) > NAME_LENGTH_MAX else {}
