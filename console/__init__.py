"""The web page over store and registry: a process of its own, so that it can neither slow nor stop the traffic.

It reads what the other processes leave on the disk, and asks none of them; what it changes (labels, who answers) it
changes as the commands do. `docs/console.md` says why it is made of pages that a server renders.
"""
