"""Starts a real Home Assistant with the telephone registered at the development exchange, and proves that it works."""
