"""What people do with a whole project: make one from folders, predict, evaluate, export, show.

The commands of `segcore.cli` and the dialogs of the window call the same functions here. Import
the module that is needed: `predicting` and `demo` load torch, the others do not.
"""
