"""Rules of the platform status: components, incidents, days of uptime. Imports only `domain`."""
