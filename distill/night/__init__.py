"""A night of one workload: from its traffic to a student that answers, or to the reason why none does."""
