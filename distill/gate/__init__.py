"""Paired scores of a student and its teacher -> promote, reject or undecided, with the reasons.

pairs -> evidence -> decide -> dossier          docs/gate.md says what is promised, and what is not
"""
