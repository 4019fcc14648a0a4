"""Tests of whole deployments that run for many minutes: ``make endurance``."""
