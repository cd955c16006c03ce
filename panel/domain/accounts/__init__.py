"""Rules of accounts: email addresses, passwords, devices. Imports only `domain`."""
