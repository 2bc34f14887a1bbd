"""What browsers get beside the API: the page, and the bundles' files that it reads."""
