"""Rules of the network: the address of a mail server, and which IP addresses are public. May import `domain`."""
