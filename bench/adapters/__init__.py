"""What runs in the environment of a peer; only tally.py is imported by the harness."""
