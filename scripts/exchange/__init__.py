"""A small SIP exchange on loopback, to develop and test the telephone against: registrar, login and a few extensions.

It is built on the integration's own `sip` and `rtp` rooms. Nothing in it is fit for an open network.
"""
