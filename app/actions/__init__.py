"""Actions: the table of everything the window can do, and its views."""
