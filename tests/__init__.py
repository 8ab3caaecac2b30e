"""Tests, which import what they share from here."""
