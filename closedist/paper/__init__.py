"""The papers' experiments: configs, data, networks, training, result files, figures."""
