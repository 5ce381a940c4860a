"""Train the matte network: data, augmentation, the network, the loop and the metrics."""
