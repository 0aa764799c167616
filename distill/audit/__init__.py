"""The audit: students that answer clients are compared with their teacher, go up the ramp, or are withdrawn.

students that answer -> a sample of their answers -> the teacher is asked too -> agreement -> alarm, or next share
"""
