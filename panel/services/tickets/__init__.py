"""Tickets: opened by customers, answered by operators; every line of a thread is added, and none is changed."""
