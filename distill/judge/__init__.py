"""Two answers to one question -> which of them is better, as a model sees it.

Asked twice, in both orders; a preference counts when both say the same, else it is a tie. What was asked once is kept
in the table ``verdicts`` and not asked again.
"""
