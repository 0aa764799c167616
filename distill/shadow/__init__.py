"""A student on which the gate was undecided answers some new traffic too, for the gate alone; no client sees it."""
