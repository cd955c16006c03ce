"""Backups: every row of the database in one file, put back elsewhere so that nothing is sent twice."""
