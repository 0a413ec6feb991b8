"""Makes the plugin known where glue-bench is not installed: a clone and its packages suffice."""

pytest_plugins = ["harness.plugin"]
