"""A stand-in for AWS Batch on one machine: the same API, jobs as local processes.

Development equipment. Nothing of the product imports it; it is reached through HTTP alone.
"""
