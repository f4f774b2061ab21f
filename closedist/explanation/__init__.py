"""Where models differ: which labels, which inputs, which directions; and which of many models belong together."""
