"""HTTP/1.1 on a socket: parsing, limits, and what each path answers."""
