"""Measurements that a person runs: each prints ratios taken side by side in one run. Not tests."""
