"""A person at a real browser, in front of a real Home Assistant, with real telephones around."""
