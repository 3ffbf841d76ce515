"""Tests of SIP Phone."""
