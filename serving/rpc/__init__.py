"""gRPC: TensorFlow Serving's PredictionService and ModelService, and grpc.health.v1."""
