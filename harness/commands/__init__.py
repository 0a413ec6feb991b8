"""The verbs of `glue-bench`. Thin: what they do is done elsewhere."""
