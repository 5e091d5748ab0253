"""What actions do that is more than one call."""

from __future__ import annotations

from app.actions.host import Host

# The usual windows of computed tomography in Hounsfield units: (level, width).
CT_WINDOWS: dict[str, tuple[float, float]] = {
    "Brain": (40, 80),
    "Lung": (-600, 1500),
    "Bone": (400, 1800),
    "Abdomen": (50, 400),
}


def choose_class(host: Host, position: int) -> None:
    """Make the class at this place of the panel the active one."""
    workspace = host.workspace
    if workspace.classes is None:
        return
    shown = [c for c in workspace.classes.active if not c.ignore]
    if position < len(shown):
        workspace.set_active_class(int(shown[position].id))


def choose_neighbour_class(host: Host, step: int) -> None:
    workspace = host.workspace
    if workspace.classes is None:
        return
    ids = [int(c.id) for c in workspace.classes.active if not c.ignore]
    if ids:
        here = ids.index(workspace.active_class) if workspace.active_class in ids else 0
        workspace.set_active_class(ids[(here + step) % len(ids)])


def change_fill(host: Host, step: float) -> None:
    host.workspace.set_fill(round(host.workspace.fill_opacity + step, 2))


def change_size(host: Host, up: bool) -> None:
    """The next brush size: a tenth up or down, at least one pixel."""
    workspace = host.workspace
    size = workspace.tool_options.get("size")
    if isinstance(size, int | float):
        step = max(1, round(size * 0.15))
        changed = size + step if up else size - step
        workspace.set_tool_option("size", type(size)(min(4000, max(1, changed))))


def toggle_option(host: Host, name: str) -> None:
    workspace = host.workspace
    workspace.set_tool_option(name, not workspace.tool_options.get(name, False))


def use_window(host: Host, name: str) -> None:
    level, width = CT_WINDOWS[name]
    host.workspace.set_window(level - width / 2, level + width / 2)


def fit_window(host: Host) -> None:
    """The window that fits the slice."""
    host.workspace.fit_window()


def toggle_theme(host: Host) -> None:
    host.set_theme("light" if host.workspace.settings.get("look.theme") == "dark" else "dark")


def fine_tune(host: Host) -> None:
    """Start with the project's defaults at once, and show how it goes."""
    host.workspace.fine_tune()
    host.show_training(True)


def predict_all(host: Host) -> None:
    host.workspace.predict_all()


def toggle_lock(host: Host) -> None:
    workspace = host.workspace
    active = workspace.active_class
    workspace.set_class_locked(active, active not in workspace.locked_classes)


def toggle_visible(host: Host) -> None:
    workspace = host.workspace
    active = workspace.active_class
    workspace.set_class_visible(active, active in workspace.hidden_classes)


def show_all_classes(host: Host) -> None:
    workspace = host.workspace
    for class_id in list(workspace.hidden_classes):
        workspace.set_class_visible(class_id, True)


def zoom(host: Host, factor: float) -> None:
    if host.canvas is not None:
        host.canvas.zoom_by(factor)


def zoom_to(host: Host, scale: float) -> None:
    if host.canvas is not None:
        host.canvas.zoom_to(scale)


def fit(host: Host) -> None:
    if host.canvas is not None:
        host.canvas.fit()


def refine_visible(host: Host) -> None:
    """Put all that is visible behind a dense CRF."""
    if host.canvas is not None and host.canvas.view is not None:
        host.workspace.set_tool("crf")
        host.workspace.refining.begin(host.canvas.view.visible_image)


def compare_refined(host: Host) -> None:
    refining = host.workspace.refining
    refining.set_compared(not refining.compared)


def turn(host: Host, quarters: int) -> None:
    if host.canvas is not None:
        host.canvas.turn_by(quarters)


def flip(host: Host) -> None:
    if host.canvas is not None:
        host.canvas.flip()


def unturn(host: Host) -> None:
    if host.canvas is not None:
        host.canvas.unturn()
