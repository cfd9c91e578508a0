"""The pytest plugin. pytest imports only entry_point, under the name conversions_api_pytest. Decision 86.

A test that uses the fixture imports the rest.
"""
