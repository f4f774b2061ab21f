"""The networks, and models that train together."""
