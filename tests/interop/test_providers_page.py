"""What the provider guides tell to type into an exchange is what it takes."""

import re
from dataclasses import dataclass
from typing import override

import pytest

from tests.documents import section_of, text_of

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .peers.asterisk import User

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]


@dataclass(frozen=True, slots=True)
class WrittenUser(User):
    """A telephone's account as somebody wrote it."""

    text: str = ""

    @property
    @override
    def sections(self) -> str:
        return self.text


async def test_the_extension_of_the_page_registers_at_asterisk(peers: Peers) -> None:
    page = section_of(text_of("providers.md"), "Asterisk and FreePBX")
    (text,) = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    (password,) = re.findall(r"^password = (.+)$", text, re.MULTILINE)
    asterisk = await peers.start(Asterisk(peers.own(), further=(WrittenUser("620", password, text=text),)))
    async with Agent(account_at(asterisk, "620", password=password)) as ours:
        assert (await ours.until_registered()).code == 200
        assert len(await asterisk.contacts("620")) == 1
