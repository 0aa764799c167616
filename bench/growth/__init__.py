"""`python -m bench.growth`: how cost grows with open streams, stored exchanges, workloads and adapters.

    streams 1 … 1,000 │ exchanges 10^3 … 10^7 │ workloads 1 … 200 │ adapters 1 … 50
        -> curves, exponents, one picture

The exponent of a curve is the slope of its upper half on two logarithmic axes: 0 is a cost that stays, 1 one that grows
as its cause does.
"""
