"""SIP Phone: a complete SIP telephone in Home Assistant."""
