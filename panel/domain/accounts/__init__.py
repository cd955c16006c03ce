"""Rules of accounts: email addresses, passwords, devices. May import `domain`."""
