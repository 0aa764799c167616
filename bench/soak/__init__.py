"""`python -m bench.soak`: the proxy under mixed traffic and faults for half an hour, and what is left of it afterwards.

    clients (httpx, openai, raw sockets) ──▶ nightschool proxy, 2 workers ──▶ scripted teacher, scripted student
                                                    ▲
    faults by a seeded schedule: killed and frozen processes, reloads, promotions, rollbacks, imports, merges

Every answer carries a mark made from its question, so an answer or a record that belongs to another request is seen.
What was answered must be in the store once, memory must be flat, and nothing may stay open when the load has ended.
"""
