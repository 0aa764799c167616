"""What happens by itself: nights by the clock, audits every few seconds, and whom to tell of it."""
