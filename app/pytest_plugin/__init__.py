"""The pytest plugin. pytest imports only entry_point; a test that uses the fixture imports the rest. Decision 86."""
