"""The faults that a queue must survive, on real processes: `python -m faults`. See README.md."""
