"""The data: arrays in, arrays out."""
