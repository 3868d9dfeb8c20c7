"""The same faults for ours and for other queues: `python -m faults.peers`."""
