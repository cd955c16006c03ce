"""Office pages about the running of the panel itself, such as the maintenance switch."""
