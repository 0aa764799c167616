"""`python -m bench.proxy`: what forwarding and recording cost, beside nginx, LiteLLM and others, in one run.

    generator (uvloop) ──▶ nginx | nightschool | LiteLLM | … | nothing ──▶ stub upstream (uvloop)
        other cores                     one core                            other cores

Figures are CPU time of the process that forwards, read from its own clock in the kernel, divided by the exchanges
that were answered and checked byte for byte. Machines differ and are shared, so only the ratios inside one run are
claims.
"""
