"""Redacting personal data, as an application has a teacher do it: texts, the request, a scripted teacher, an app.

    texts (made, or read) -> request (system prompt, tool, text) -> teacher (the truth with seeded noise) -> tool call

The truth is known of every text, so teacher and student can both be measured against it.
"""
