"""The headline: a payment webhook answered with the work inline, and with the work queued. `python -m bench.ingress`."""
