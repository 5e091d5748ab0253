"""The command line: every command of ``maskwright`` but the window itself. Knows no Qt."""
