"""`make demo`: the whole loop on one machine, without a key and without a GPU.

    app -> proxy -> teacher … night … app -> proxy -> student … harm … audit -> the student before, or the teacher

Everything is nightschool as a user has it: its commands, its files. Only the teacher is scripted.
"""
