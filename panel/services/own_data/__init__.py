"""A customer's own data, to take along."""
