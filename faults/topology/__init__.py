"""Several servers that are one broker: a primary and its replicas, Sentinels that watch it, a cluster."""
