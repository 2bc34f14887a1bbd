"""Calls of loaded versions: queued, bounded, put together into batches, and answered on the event loop."""
