"""`python -m bench.suite`: every benchmark, one after the other, and one document of what came of them.

    catalog ──▶ run: a process each ──▶ bench/results/NAME.json ──┐
                                            bench/causes.yaml ────┴──▶ page ──▶ bench/RESULTS.md

A benchmark that has a result of the same code is not run again, so the whole may be stopped and go on. Results of
different days and commits stand beside one another, each with its own date and commit.
"""
