"""SIP signalling, sans-IO: bytes and clock readings in, bytes and events out."""
