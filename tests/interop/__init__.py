"""Tests against independent SIP software running on loopback."""
