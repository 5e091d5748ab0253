"""Dialogs and pages; each is imported when it is first asked for."""
