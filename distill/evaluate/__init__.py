"""A dataset's test side, and an adapter -> answers of every system, their scores, and a report.

cases -> prompts -> a replica -> answers (kept as they come) -> scores -> rows.parquet, manifest.json, report
"""
