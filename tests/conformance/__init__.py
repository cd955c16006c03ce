"""Conformance suite for API v2: checks any panel's server against the contract that `/api` describes."""
