"""Who may use the proxy: clients with keys, what they may ask for, how often, and for how much money.

head of a request -> known client? -> allowance -> budget -> body -> route -> its workload allowed? -> forwarded
"""
