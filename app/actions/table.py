"""Everything the window can do. Menus, shortcuts, tooltips, the palette and the keys page are
views of this table; to add an action is to add a row."""

from __future__ import annotations

from functools import partial

from app.actions import conditions as when
from app.actions import functions as do
from app.actions.action import Action
from app.actions.host import Host
from app.tools import TOOLS
from app.workspace import Workspace

MENUS: dict[str, str] = {
    "file": "File",
    "edit": "Edit",
    "view": "View",
    "mask": "Mask",
    "model": "Model",
    "window": "Window",
    "help": "Help",
}

# fmt: off
_FILE = (
    Action("project.new", "New project…", "folder-plus", "Make a project from a folder of images.",
           lambda h: h.show_dialog("new"), ("Ctrl+N",), "file/1"),
    Action("project.open", "Open project…", "folder-open", "Open a folder ending in .maskwright.",
           lambda h: h.show_dialog("open"), ("Ctrl+O",), "file/1"),
    Action("project.import", "Import images and masks…", "import",
           "Begin a project with images and their truth, predictions or labels from folders.",
           lambda h: h.show_dialog("import"), ("Ctrl+I",), "file/1"),
    Action("project.demo", "Open demo", "play", "Open a small project that comes with Maskwright.",
           lambda h: h.show_dialog("demo"), (), "file/1"),
    Action("project.export", "Export…", "file-output",
           "Write masks as PNG, COCO or NIfTI with a manifest.",
           lambda h: h.show_dialog("export"), ("Ctrl+E",), "file/2", when.PROJECT),
    Action("project.close", "Close project", "x", "Close the project; everything is saved already.",
           lambda h: h.workspace.close_project(), ("Ctrl+W",), "file/3", when.PROJECT),
    Action("app.preferences", "Preferences…", "settings", "Choose how Maskwright looks and works.",
           lambda h: h.show_dialog("preferences"), ("Ctrl+,",), "file/4"),
    Action("app.quit", "Quit", "power", "Close the window; everything is saved already.",
           lambda h: h.close_window(), ("Ctrl+Q",), "file/5"),
)

_EDIT = (
    Action("mask.undo", "Undo {undo}", "undo-2", "Take back the last step of this item.",
           lambda h: h.workspace.undo(), ("Ctrl+Z",), "edit/1", when.CAN_UNDO),
    Action("mask.redo", "Redo {redo}", "redo-2", "Do the step again that was taken back.",
           lambda h: h.workspace.redo(), ("Ctrl+Shift+Z", "Ctrl+Y"), "edit/1", when.CAN_REDO),
    Action("class.undo", "Undo class change: {class_undo}", "undo-2",
           "Take back the last change of a class: its name, colour, value, or that it was added.",
           lambda h: h.workspace.project_steps.undo(), ("Ctrl+Alt+Z",), "edit/2",
           when.CAN_UNDO_CLASSES),
    Action("class.redo", "Redo class change: {class_redo}", "redo-2",
           "Do the change of a class again that was taken back.",
           lambda h: h.workspace.project_steps.redo(), ("Ctrl+Alt+Shift+Z",), "edit/2",
           when.CAN_REDO_CLASSES),
    Action("project.history", "Project history", "history",
           "Show changes of classes and steps over many items; undo and redo them there.",
           lambda h: h.show_project_history(), ("Ctrl+Shift+Y",), "edit/2", when.PROJECT),
    Action("app.palette", "Search actions…", "search", "Find an action by its name and run it.",
           lambda h: h.show_dialog("palette"), ("Ctrl+K",), "edit/3"),
)

_VIEW = (
    Action("view.fit", "Fit picture", "scan", "Show the whole picture.",
           do.fit, ("Ctrl+0", "Home"), "view/1", when.ITEM),
    Action("view.zoom_in", "Zoom in", "zoom-in", "Make the picture larger.",
           partial(do.zoom, factor=1.25), ("Ctrl++", "Ctrl+="), "view/1", when.ITEM),
    Action("view.zoom_out", "Zoom out", "zoom-out", "Make the picture smaller.",
           partial(do.zoom, factor=0.8), ("Ctrl+-",), "view/1", when.ITEM),
    Action("view.actual", "Actual pixels", "square", "One screen pixel for each pixel.",
           partial(do.zoom_to, scale=1.0), ("Ctrl+1",), "view/1", when.ITEM),
    Action("view.turn_left", "Turn left", "rotate-ccw",
           "Turn the picture a quarter to the left; the file stays as it is.",
           partial(do.turn, quarters=-1), ("Ctrl+[",), "view/2", when.ITEM),
    Action("view.turn_right", "Turn right", "rotate-cw",
           "Turn the picture a quarter to the right; the file stays as it is.",
           partial(do.turn, quarters=1), ("Ctrl+]",), "view/2", when.ITEM),
    Action("view.flip", "Flip horizontally", "flip-vertical-2",
           "Show the picture as in a mirror; the file stays as it is.",
           do.flip, ("M",), "view/2", when.ITEM),
    Action("view.straight", "Reset turning", "rotate-ccw-square",
           "Show the picture as it lies in its file.",
           do.unturn, ("Shift+M",), "view/2", when.TURNED),
    Action("view.label", "Show label", "pencil", "Show the mask that you correct.",
           lambda h: h.workspace.set_view_mode("label"), ("Alt+1",), "view/3", when.ITEM,
           lambda w: w.view_mode == "label"),
    Action("view.model", "Show model", "sparkles", "Show what the model predicted.",
           lambda h: h.workspace.set_view_mode("model"), ("Alt+2",), "view/3",
           when.HAS_MODEL_LAYER, lambda w: w.view_mode == "model"),
    Action("view.truth", "Show truth", "target", "Show what scores are measured against.",
           lambda h: h.workspace.set_view_mode("truth"), ("Alt+3",), "view/3", when.HAS_TRUTH,
           lambda w: w.view_mode == "truth"),
    Action("view.hide_mask", "Hide mask", "eye-off", "Tap to hide the mask; hold to peek under it.",
           lambda h: h.workspace.set_mask_hidden(not h.workspace.mask_hidden), ("S",), "view/4",
           when.ITEM, lambda w: w.mask_hidden),
    Action("view.fill_less", "Less fill", "minus", "Let more of the picture through.",
           partial(do.change_fill, step=-0.05), ("-",), "view/4", when.ITEM),
    Action("view.fill_more", "More fill", "plus", "Colour the mask more strongly.",
           partial(do.change_fill, step=0.05), ("=",), "view/4", when.ITEM),
    Action("view.slice_up", "Next slice", "arrow-up", "Go one slice up.",
           lambda h: h.workspace.set_slice(h.workspace.z + 1), ("Up", "PgUp"), "view/5",
           when.VOLUME),
    Action("view.slice_down", "Previous slice", "arrow-down", "Go one slice down.",
           lambda h: h.workspace.set_slice(h.workspace.z - 1), ("Down", "PgDown"), "view/5",
           when.VOLUME),
)

_WINDOW = (
    *(
        Action(f"window.{name.lower()}", name, "contrast",
               f"Level {level:g}, width {width:g}: the usual window for this part of the body.",
               partial(do.use_window, name=name), (), "window/1", when.DEEP)
        for name, (level, width) in do.CT_WINDOWS.items()
    ),
    Action("window.auto", "Fit window", "gauge", "Choose the window that fits this slice.",
           do.fit_window, ("Ctrl+Shift+A",), "window/1", when.ITEM),
    Action("window.theme", "Dark or light", "sun-moon", "Change the colours of the window.",
           do.toggle_theme, ("Ctrl+Shift+L",), "window/2"),
    Action("window.sides", "Hide both sides", "panel-left-close",
           "Give their place to the picture.",
           lambda h: h.toggle_sides(), ("F9",), "window/2"),
    Action("window.canvas_only", "Only the picture", "fullscreen",
           "Hide all but the picture and the status bar.",
           lambda h: h.toggle_canvas_only(), ("F11",), "window/2"),
)

_MASK = (
    Action("queue.accept", "Accept", "circle-check", "Mark this item as right and go on.",
           lambda h: h.workspace.accept(), ("Shift+D",), "mask/1", when.EDITABLE),
    Action("queue.reject", "Reject", "circle-x", "Leave this item out of training and export.",
           lambda h: h.workspace.reject(), ("Shift+R",), "mask/1", when.EDITABLE),
    Action("queue.next", "Next item", "chevron-right", "Open the next item of the queue.",
           lambda h: h.workspace.step(1), ("D",), "mask/2", when.HAS_NEXT),
    Action("queue.previous", "Previous item", "chevron-left", "Open the item before.",
           lambda h: h.workspace.step(-1), ("A",), "mask/2", when.HAS_PREVIOUS),
    Action("pending.take", "Take preview", "check", "Put the previewed region into the mask.",
           lambda h: h.workspace.take_pending(), ("Return", "Enter"), "mask/3", when.PENDING),
    Action("pending.drop", "Drop preview", "x", "Forget the previewed region.",
           lambda h: h.workspace.drop_pending(), ("Esc",), "mask/3", when.PENDING),
    Action("mask.refine", "Refine with dense CRF", "all-connected",
           "Move the mask's edges to where the colours change, in all that is visible.",
           do.refine_visible, ("Ctrl+R",), "mask/3", when.EDITABLE),
    Action("mask.before", "Show mask before", "history",
           "Tap to see the mask as it was before the preview; hold to peek.",
           do.compare_refined, ("C",), "mask/3", when.REFINING,
           lambda w: w.refining.compared),
    Action("tool.larger", "Larger brush", "circle-plus", "Make the tool larger.",
           partial(do.change_size, up=True), ("]",), "mask/4", when.ITEM),
    Action("tool.smaller", "Smaller brush", "circle-minus", "Make the tool smaller.",
           partial(do.change_size, up=False), ("[",), "mask/4", when.ITEM),
    Action("tool.clear_seeds", "Clear seeds", "trash-2",
           "Forget all seeds and the region that was found.",
           lambda h: h.workspace.interrupt(), ("Del",), "mask/4", when.HAS_SEEDS),
    Action("tool.keep_mine", "Keep mine", "shield-check",
           "Strokes leave what a person painted as it is.",
           partial(do.toggle_option, name="keep_mine"), ("Shift+B",), "mask/4", when.EDITABLE,
           lambda w: bool(w.tool_options.get("keep_mine"))),
    Action("class.swap", "Swap class and background", "arrow-left-right",
           "Exchange the class with the one behind it.",
           lambda h: h.workspace.swap_classes(), ("X",), "mask/5", when.ITEM),
    Action("class.lock", "Lock class", "lock", "Protect the pixels of the active class.",
           do.toggle_lock, ("Ctrl+L",), "mask/5", when.ITEM,
           lambda w: w.active_class in w.locked_classes),
    Action("class.hide", "Hide class", "eye-off", "Do not show the active class.",
           do.toggle_visible, ("Ctrl+H",), "mask/5", when.ITEM,
           lambda w: w.active_class in w.hidden_classes),
    Action("class.show_all", "Show all classes", "eye", "Show the classes that were hidden.",
           do.show_all_classes, ("Ctrl+Shift+H",), "mask/5", when.HAS_HIDDEN),
    Action("class.edit", "Classes…", "palette", "Add, rename and colour classes.",
           lambda h: h.show_dialog("classes"), (), "mask/5", when.WRITABLE),
)

_MODEL = (
    Action("model.predict", "Predict", "sparkles", "Let the model predict this item.",
           lambda h: h.workspace.predict(), ("Ctrl+P",), "model/1", when.CAN_PREDICT),
    Action("model.predict_all", "Predict all", "layers",
           "Let the model predict every item that nobody has corrected.",
           do.predict_all, ("Ctrl+Shift+P",), "model/1", when.CAN_PREDICT_ALL),
    Action("model.stop", "Cancel predictions", "ban", "Stop what is being predicted.",
           lambda h: h.workspace.jobs.cancel_all(), ("Ctrl+.",), "model/1", when.JOBS_RUNNING),
    Action("proposal.take", "Take proposal", "check", "Put the new prediction into the mask.",
           lambda h: h.workspace.take_proposal("all"), ("Ctrl+Return",), "model/2",
           when.HAS_PROPOSAL),
    Action("proposal.take_rest", "Take where I did not paint", "shield-check",
           "Take the new prediction, but leave your own pixels as they are.",
           lambda h: h.workspace.take_proposal("not_mine"), ("Ctrl+Shift+Return",), "model/2",
           when.HAS_PROPOSAL),
    Action("proposal.take_classes", "Take ticked classes", "list-checks",
           "Take the new prediction only where it says one of the ticked classes.",
           lambda h: h.workspace.take_proposal("ticked"), ("Ctrl+Alt+Return",), "model/2",
           when.HAS_TICKED),
    Action("proposal.take_visible", "Take visible part", "scan",
           "Take the new prediction only in what is on the canvas now.",
           lambda h: h.workspace.take_proposal("visible"), ("Alt+Return",), "model/2",
           when.HAS_PROPOSAL),
    Action("proposal.drop", "Drop proposal", "x", "Leave the mask as it is.",
           lambda h: h.workspace.drop_proposal(), ("Ctrl+Backspace",), "model/2",
           when.HAS_PROPOSAL),
    Action("proposal.again", "Offer dropped proposal again", "undo",
           "Have the prediction that was dropped wait for an answer once more.",
           lambda h: h.workspace.offer_again(), (), "model/2", when.HAS_DROPPED),
    Action("model.cards", "Models…", "all-connected",
           "See the architectures and the trained models, and choose one to train.",
           lambda h: h.show_dialog("models"), ("Ctrl+M",), "model/3"),
    Action("model.fine_tune", "Fine-tune", "graduation-cap",
           "Teach the model with your corrections; starts at once with defaults.",
           do.fine_tune, ("Ctrl+T",), "model/3", when.CAN_TRAIN),
    Action("model.training", "Fine-tuning sheet", "panel-right-open",
           "Show what a fine-tuning learns from, and how it goes.",
           lambda h: h.show_training(), ("Ctrl+Shift+T",), "model/3", when.PROJECT),
    Action("model.cancel_run", "Cancel run", "ban", "Stop the fine-tuning; it keeps what it has.",
           lambda h: h.workspace.runs.cancel(), (), "model/3", when.TRAINING),
    Action("model.promote", "Promote model", "arrow-up-to-line",
           "Let the new model predict from now on.",
           lambda h: h.workspace.runs.promote(), (), "model/4", when.RUN_ENDED),
    Action("model.go_back", "Go back to the model before", "history",
           "Let the model before the promotion predict again.",
           lambda h: h.workspace.runs.go_back(), (), "model/4", when.CAN_GO_BACK),
)

_HELP = (
    Action("help.manual", "Manual", "book-open", "Read how Maskwright works.",
           lambda h: h.show_dialog("manual"), ("F1",), "help/1"),
    Action("help.keys", "Keys", "keyboard", "See every shortcut, and change it.",
           lambda h: h.show_dialog("keys"), ("Ctrl+/",), "help/1"),
    Action("help.about", "About Maskwright", "info", "See version, licence and what it is for.",
           lambda h: h.show_dialog("about"), (), "help/2"),
)
# fmt: on


def _class_keys() -> tuple[Action, ...]:
    """Digits choose classes: 1 to 9, 0, then the same with Shift."""
    rows = []
    for position in range(20):
        digit = str((position + 1) % 10)
        keys = digit if position < 10 else f"Shift+{digit}"
        rows.append(
            Action(
                f"class.{position + 1}",
                f"Class {position + 1}",
                "tag",
                f"Paint class number {position + 1} of the list.",
                partial(do.choose_class, position=position),
                (keys,),
                "",
                when.ITEM,
            )
        )
    return tuple(rows)


def _tools() -> tuple[Action, ...]:
    """Tools describe themselves; letters choose them."""
    return tuple(
        Action(
            f"tool.{tool.id}",
            tool.name,
            tool.icon,
            tool.help,
            partial(_choose_tool, tool_id=tool.id),
            (tool.key,) if tool.key else (),
            "",
            when.ITEM,
            partial(_is_tool, tool_id=tool.id),
        )
        for tool in TOOLS
    )


def _choose_tool(host: Host, tool_id: str) -> None:
    host.workspace.set_tool(tool_id)


def _is_tool(workspace: Workspace, tool_id: str) -> bool:
    return bool(workspace.tool_id == tool_id)


ACTIONS: tuple[Action, ...] = (
    *_FILE, *_EDIT, *_VIEW, *_MASK, *_MODEL, *_WINDOW, *_HELP, *_class_keys(), *_tools(),
)  # fmt: skip
BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
