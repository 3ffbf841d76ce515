"""Voice over RTP, sans-IO: bytes and clock readings in, bytes, sound and events out (RFC 3550, 3551, 4733)."""
