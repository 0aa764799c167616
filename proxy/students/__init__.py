"""Who answers for a workload that has students: what the registry says, and what replicas are fit for.

registry.py ──► roster.py ──► choice.py ──► Route            probe.py ──► breaker.py
(files)         (compiled)    (per request; draw, capability, tool_loop, balance)
"""
