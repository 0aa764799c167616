"""Foreign files -> exchanges of the store.

file -> items -> candidates -> records that are not there yet -> segments
"""
