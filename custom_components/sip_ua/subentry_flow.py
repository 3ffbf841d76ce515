"""What the forms of all that is listed beside an account have in common: to add something, and to change it."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import voluptuous as vol
from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME


@dataclass(frozen=True, slots=True)
class Listed:
    """What is stored: the name that is shown, the rest of the form, and what tells it from all else of the account."""

    title: str
    data: Mapping[str, Any]
    unique_id: str


class ListingFlow(ConfigSubentryFlow):
    """Add something, or change it."""

    schema: ClassVar[vol.Schema]

    def __init__(self) -> None:
        """Begin with no error to tell of."""
        self.placeholders: dict[str, str] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take something new, unless there is enough."""
        if (reason := self.full()) is not None:
            return self.async_abort(reason=reason)
        errors: dict[str, str] = {}
        if user_input is not None:
            listed = self.listed(user_input)
            if not (errors := await self.mistakes(listed, None)):
                return self.async_create_entry(title=listed.title, data=listed.data, unique_id=listed.unique_id)
        return self._show("user", user_input, errors)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change what is there."""
        subentry = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            listed = self.listed(user_input)
            if not (errors := await self.mistakes(listed, subentry.subentry_id)):
                return self.async_update_and_abort(
                    self._get_entry(), subentry, title=listed.title, data=listed.data, unique_id=listed.unique_id
                )
        return self._show("reconfigure", user_input or {**subentry.data, CONF_NAME: subentry.title}, errors)

    def _show(self, step: str, shown: Mapping[str, Any] | None, errors: dict[str, str]) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(self.form(), shown),
            errors=errors,
            description_placeholders=self.placeholders,
        )

    def form(self) -> vol.Schema:
        """Return the form of this account."""
        return self.schema

    def full(self) -> str | None:
        """Return why nothing more can be added, None where it can."""
        return None

    @abstractmethod
    def listed(self, typed: Mapping[str, Any]) -> Listed:
        """Return what was typed as it is stored."""

    @abstractmethod
    async def mistakes(self, listed: Listed, besides: str | None) -> dict[str, str]:
        """Return the error text of each field that is wrong; what has the id `besides` is what is changed."""
