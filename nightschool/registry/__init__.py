"""What may answer, and what does: adapters, the routing state, the replicas. Files that stages leave for each other."""
