"""Programs that measure what must be held when things die: python -m faults.bars NAME."""
