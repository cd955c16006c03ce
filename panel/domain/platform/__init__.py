"""Rules of the platform status: components, incidents, days of uptime. May import `domain`."""
