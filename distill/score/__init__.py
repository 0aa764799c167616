"""An answer and a reference -> how good the answer is, between 0 and 1.

choose -> a scorer -> Scored         choose.py says which; docs/scoring.md defines each and names its source
"""
