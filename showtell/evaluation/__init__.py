"""Evaluation: scores of captions, and calibration of a model's confidences.

This package uses the captioner; captioning does not use this package.
"""
