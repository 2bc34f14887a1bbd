"""What serves bundles: a TF Serving compatible server. It reads a bundle's files and never imports `pipeline`.

    contract/    TensorFlow Serving's paths, JSON forms, status codes and error texts; no sockets, no models
    engines/     one module per engine: runs an artifact on named inputs
    lifecycle/   what to serve, versions on disk, the gate, warm-up, loading and unloading
    inference/   jobs, their queues, batches and deadlines
    rest/        HTTP/1.1 on a socket, with its limits
    rpc/         gRPC
    protos/      the messages' descriptors, without TensorFlow
    deploy/      deployment files, and the check of what any server answers

`node` is one process of all that; `supervisor` keeps several of them.

Importing this package imports none of them.
"""
