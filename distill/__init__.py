"""store -> labels, dataset -> adapter: what is learned from recorded traffic, and how."""
