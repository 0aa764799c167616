"""Is a workload worth teaching? What it costs, what a student would save, and what is still missing.

    exchanges -> figures (all of them) ─┬─> money   what the teacher costs, what a GPU would
              -> answers (the newest)  ─┼─> need    rows that there are, rows still needed
                                        └─> verdict does the task look as if it could be learned?

`measure` is the entry; it is what `nightschool worth` prints.
"""
