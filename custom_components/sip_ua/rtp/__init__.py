"""RTP media, sans-IO: packets and clock readings in, packets and samples out."""
