"""Views of a certificate: terminal table, Markdown model card, one-file HTML. They judge nothing themselves."""
