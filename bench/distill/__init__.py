"""What a student learns: traffic -> dataset -> adapter -> answers on what it has not seen -> scores against the truth.

    python -m bench.distill              every run that has no result yet, then the table
    python -m bench.distill --table      the table of what is there
    python -m bench.distill speed        training speed beside TRL's SFTTrainer

Every step but the generation is nightschool as a user has it: the proxy records what an application asks through it,
and `labels import`, `dataset build` and `train` are the commands. Answers are generated greedily with transformers in a
process of its own. A run is known by a hash of its settings; its result is one line of `results.jsonl`.
"""
