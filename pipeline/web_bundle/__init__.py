"""The ready-made bundle for web pages: one ES module per backend, with what this model needs and nothing else.

`builder.py` gives Node.js the work in `js/`, which runs the TF.js artifact to see what it calls, writes that down as a
straight plan of calls (or keeps TF.js' executor for models with control flow), and lets esbuild drop the rest. The
module's API is in docs/web.md. That a bundle is right is not believed of it: `pipeline.runtimes.web_bundle` runs it in
a page, and the cell gets the same verdict as any other.
"""

from pipeline.web_bundle.builder import FORMAT, Written, write

__all__ = ["FORMAT", "Written", "write"]
