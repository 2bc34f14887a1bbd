"""What serves bundles: a TF Serving compatible server. It reads a bundle's files and never imports `pipeline`.

    contract/    TensorFlow Serving's paths, JSON forms, status codes and error texts; no sockets, no models
    engines/     one module per engine: runs an artifact on named inputs
    lifecycle/   versions on disk, the gate, loading and unloading
    rest/        HTTP/1.1 on a socket, with its limits

Importing this package imports none of them.
"""
