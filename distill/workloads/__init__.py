"""Workloads found in traffic that no rule names, by the template of its prompts.

    exchanges -> distinct prompts -> templates (known ones first) -> groups -> the YAML that would name them

`discover` is the entry; it is what `nightschool workloads` prints.
"""
