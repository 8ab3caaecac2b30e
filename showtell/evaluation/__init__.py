"""Evaluation: how good captions are, and what a model's confidence is worth.

It builds on the captioner; captioning needs nothing of it.
"""
