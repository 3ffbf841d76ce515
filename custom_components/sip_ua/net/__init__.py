"""The asyncio runtime that moves the bytes of `sip` and `rtp`."""
