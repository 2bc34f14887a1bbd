"""TensorFlow Serving's REST contract: paths, JSON in and out, status codes, error texts. Pure functions."""
