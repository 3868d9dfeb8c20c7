"""What cluster nodes bear: six queues on one, two and three of them, and a model for more. `python -m bench.cluster`."""
