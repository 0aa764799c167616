"""What-if: recorded traffic, routed again under another configuration, and what it would have cost."""
