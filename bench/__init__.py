"""The benchmark: this product beside its peers, in one interleaved run. See README.md."""
